import type { ApiKey } from './api-key.ts'
import { type LivestreamWithKey, withoutKey } from './livestream.ts'
import type { Idempotency } from './operation.ts'
import { type Failure, type FailureOptions, KeyExpired, KeyRevoked, Unauthorized } from './refusals/failures.ts'
import type { Tenant } from './tenant.ts'
import type { TraceName } from './values/trace-name.ts'

/** The sender of a request, as far as it was proved: facts about one request that every room below may need. */
export interface Caller {
  readonly tenant: Tenant
  readonly key: ApiKey
  /** Fingerprint of the key, for the audit log. */
  readonly keyFingerprint: string
  /** The client's address, as far as it can be believed. */
  readonly address: string
  readonly requestId: string
  /** Null where it belongs to none. */
  readonly trace: TraceName | null
  /** With an `Idempotency-Key`: under which the outcome is kept. */
  readonly idempotency: Idempotency | null
  /** Says that the call writes its audit events itself, so that nobody adds another behind the answer. */
  markAudited(): void
}

/** The livestream as this caller may see it: where to send video, and with which key, only with the scope for it. */
export function shownTo(caller: Caller, livestream: LivestreamWithKey): LivestreamWithKey {
  return caller.key.scopes.includes('stream-key:read') ? livestream : withoutKey(livestream)
}

/** True when what is shown would let its reader broadcast. */
export function revealsKey(shown: LivestreamWithKey): boolean {
  return shown.stream_key !== undefined || shown.ingest_server !== undefined
}

/**
 * Why a key may not be used, or null when it may. Whoever shows the whole key is told that it was revoked or has expired; all else that
 * can be wrong with one has one answer, so that nobody learns which keys there are. @param key null: nobody has it
 */
export function keyRefusal(key: ApiKey | null, nowMs: number, options: FailureOptions = {}): Failure | null {
  if (key === null) return new Unauthorized(options)
  if (key.revokedAtMs !== null) return new KeyRevoked(options)
  return key.expiresAtMs !== null && nowMs >= key.expiresAtMs ? new KeyExpired(options) : null
}
