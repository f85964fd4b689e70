/** Urgency of a call to a vendor: which part of the quota it may use (`upstream/quota/budget.ts`). */
export type Priority = 'stop' | 'mutation' | 'read'

/** A call of the API that is over. */
export interface RequestSeen {
  /** Its `operationId`; `unknown` where it met no route. */
  operation: string
  /** Status of the answer; null when its caller hung up before. */
  status: number | null
  /** As the audit log has it: `done`, `refused`, `failed`, `not_sent` or `unknown`. */
  outcome: string
  /** Null where the call was held open on purpose, such as a stream, or where its caller hung up. */
  durationMs: number | null
  /** Null where no key told it. */
  tenantId: string | null
}

/** A call to a vendor that was sent. */
export interface VendorCallSeen {
  upstream: string
  priority: Priority
  /** Null when no answer came. */
  status: number | null
  durationMs: number
}

/**
 * Hears what happens in a gateway, for metrics. Nothing depends on it: it gives nothing back, takes microseconds and never throws
 * (docs/decisions/0015-observers-decide-nothing.md). Whoever tells it takes it as optional, so that a gateway without one pays nothing.
 */
export interface Observer {
  request(seen: RequestSeen): void
  vendorCall(seen: VendorCallSeen): void
  /** A call was refused, since more comes than can be done. */
  shed(): void
  /** A call to a vendor was not sent. @param reason the type of the failure that its caller was told */
  heldBack(upstream: string, priority: Priority, reason: string): void
  /** An answer of the vendor was had by somebody. @param how `hit`, `miss`, `collapsed` or `stale` */
  sharedRead(how: string): void
  started(result: string, durationMs: number): void
  stopped(result: string, durationMs: number): void
  /** The outcome of an operation was unknown, and is known now. */
  settled(kind: string): void
  /** @param liveMs how long it was on air */
  runEnded(reason: string, liveMs: number): void
  /** An attempt to tell a tenant's webhook. @param result `delivered`, or why not */
  delivery(result: string, durationMs: number): void
  /** An event was not delivered within its time. */
  deliveryGivenUp(): void
  webhookDisabled(): void
  /** A vendor's webhook has come. */
  vendorWebhook(upstream: string, result: string): void
  /** Audit events were written, or could not be. */
  auditAppended(durationMs: number, hasFailed: boolean): void
  checkpointFailed(): void
  /** A transaction begins (1), or is over (-1). */
  storeWriting(change: 1 | -1): void
  storeRead(durationMs: number): void
  storeWrite(durationMs: number): void
  storeFailed(kind: 'read' | 'write'): void
}
