import { randomUUID } from 'node:crypto'
import { observedAppend } from '../../audit/observed.ts'
import { type Ending, resourcesOf, type Subject } from '../../audit/ocsf.ts'
import type { UnstoredEvents } from '../../audit/unstored.ts'
import type { AuditEvent } from '../../domain/audit/audit-event.ts'
import type { Observer } from '../../domain/observer.ts'
import { nothingKnown, type Operation, operations as operationIds } from '../../domain/operation.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Engine, Row, Statement, WriteOptions } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { OperationEnd, Operations } from '../../store/tables/operations.ts'
import { inSpan } from '../../tracing/trace.ts'
import type { Made, Mutation } from './mutation.ts'
import type { WriteBehind } from './write-behind.ts'

/** The row of a mutation that is about to be sent. */
export function operationOf(mutation: Mutation, nowMs: number): Operation {
  const { caller, kind, upstream, meetingId, livestreamId, vendorAtMs, runId } = mutation
  return {
    ...nothingKnown,
    id: mutation.id ?? randomUUID(),
    tenantId: caller.tenant.id,
    keyId: caller.key.id,
    kind,
    upstream,
    meetingId,
    livestreamId: livestreamId ?? null,
    participant: mutation.participant ?? null,
    state: 'sent',
    requestId: caller.requestId,
    sentAtMs: nowMs,
    vendorAtMs: vendorAtMs ?? null,
    runId: runId ?? null,
    trace: caller.trace,
    idempotency: caller.idempotency
  }
}

/** The subject of a mutation's events. */
export function subjectOf({ caller, kind, ...mutation }: Mutation, made: Made): Subject {
  const meetingId = made.meetingId ?? mutation.meetingId
  return {
    ...operationIds[kind],
    tenantId: caller.tenant.id,
    keyId: caller.key.id,
    keyFingerprint: caller.keyFingerprint,
    idempotencyKeyFingerprint: caller.idempotency?.keyFingerprint,
    address: caller.address,
    requestId: caller.requestId,
    traceId: caller.trace?.id,
    resources: [
      ...resourcesOf(meetingId, made.livestreamId ?? mutation.livestreamId),
      ...(mutation.resources ?? []),
      ...(made.resources ?? [])
    ]
  }
}

/** It is still being written: nobody knows yet whether it will stand. */
export class TooLate extends Error {}

export interface TrailWriterDeps {
  /** Writes in order: nothing before what waits in the write-behind. */
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  /** Takes what could not be written, and tries again until the store has it. */
  writeBehind: Pick<WriteBehind, 'add' | 'behind'>
  /** Has the log tell of what the store does not have yet. */
  unstored: Pick<UnstoredEvents, 'tell' | 'stored'>
  clock: Pick<Clock, 'now'>
  observer?: Pick<Observer, 'auditAppended'> | undefined
  withinMs: number
}

/**
 * Writes rows together with their audit event within a time. A mutation that goes on is written however late: meanwhile the
 * operational log has its event.
 */
export class TrailWriter {
  readonly #deps: TrailWriterDeps
  readonly #overdue: OverdueWrites

  constructor(deps: TrailWriterDeps) {
    this.#deps = deps
    this.#overdue = new OverdueWrites(deps.withinMs)
  }

  /** How many records are being written for longer than they may take: the store hangs. */
  get late(): number {
    return this.#overdue.late
  }

  /** Waits for what is being written. @throws what it throws, and an error when it takes too long */
  async inTime(written: Promise<unknown>): Promise<void> {
    if (await this.#overdue.isLate(written)) throw this.#tooLate()
  }

  /** Writes an event and its rows for a mutation that is not sent before they stand. @throws when they don't stand in time */
  async write(rows: Statement[], event: AuditEvent): Promise<void> {
    const { withinMs } = this.#deps
    await this.inTime(this.#append(rows, event, { withinMs }))
  }

  /**
   * Writes them for a mutation that goes on: a record that fails when it is late already waits in the write-behind, with its `lateRows`.
   * @throws what fails in time
   */
  async writeHoweverLate(
    rows: Statement[],
    event: AuditEvent,
    { isAwaited, lateRows = rows }: { isAwaited: boolean; lateRows?: Statement[] }
  ): Promise<void> {
    const { writeBehind } = this.#deps
    const written = this.#append(rows, event)
    if (!(await this.#overdue.isLate(written))) return
    this.#tell(event, written)
    const kept = written.catch(cause => this.keep(lateRows, event, cause))
    if (isAwaited) writeBehind.behind(kept)
  }

  /**
   * The intent, in time. One that is written after its caller was refused is closed at once, since nothing was sent.
   * @param unsent undoes the rows then
   */
  async intend(
    rows: Statement[],
    unsent: Statement[],
    { id }: Operation,
    event: (ending: Ending) => AuditEvent
  ): Promise<void> {
    const { engine, operations, auditEvents, writeBehind, clock, withinMs } = this.#deps
    const written = this.#append(rows, event({ outcome: 'pending' }), { withinMs })
    if (!(await this.#overdue.isLate(written))) return
    const ending = { outcome: 'not_sent', type: 'audit_unavailable' } as const
    const close = () => [
      ...unsent,
      operations.ended(id, { state: 'failed', freesKey: true }, clock.now()),
      auditEvents.append(event(ending))
    ]
    // If it was not written it is as its caller was told.
    written.then(() => engine.write(close()).catch(() => writeBehind.add(close()))).catch(() => {})
    throw this.#tooLate()
  }

  /** True when it stands in time. Else it is still being written, or waits in the write-behind: false. Never throws. */
  end(operation: Operation, how: OperationEnd, ending: AuditEvent, rows: Statement[] = []): Promise<boolean> {
    const facts = { 'livegate.operation': operation.id, 'livegate.outcome': ending.unmapped.outcome }
    return inSpan('audit outcome', facts, () => this.#end(operation, how, ending, rows))
  }

  async #end({ id }: Operation, how: OperationEnd, ending: AuditEvent, rows: Statement[]): Promise<boolean> {
    const { operations, writeBehind, clock } = this.#deps
    // While the intent still waits to be written down there is no row to end: then its end waits behind it.
    const outcome = [...rows, { ...operations.ended(id, how, clock.now()), changes: 1 }]
    const written = this.#append(outcome, ending).catch(cause => {
      this.keep(outcome, ending, cause)
      return null
    })
    if (!(await this.#overdue.isLate(written))) return (await written) !== null
    this.#tell(ending, written)
    writeBehind.behind(written)
    return false
  }

  /** Takes an event and its rows that could not be written: they are tried again until the store has them. */
  keep(rows: Statement[], event: AuditEvent, cause: unknown): void {
    const { auditEvents, writeBehind, unstored } = this.#deps
    unstored.tell(event, 'an audit event could not be written: it is kept and tried again', cause)
    writeBehind.add([...rows, auditEvents.append(event)], () => unstored.stored(event))
  }

  /** Writes rows and their event in one transaction. */
  #append(rows: Statement[], event: AuditEvent, options?: WriteOptions): Promise<Row[][]> {
    const { engine, auditEvents, observer } = this.#deps
    const write = () => engine.write([...rows, auditEvents.append(event)], options)
    return observer === undefined ? write() : observedAppend(write, observer)
  }

  /** Has the operational log tell of the event, whatever becomes of this process and its disk. */
  #tell(event: AuditEvent, written: Promise<unknown>): void {
    const { unstored } = this.#deps
    unstored.tell(event, 'an audit event is not written yet: the store is slow')
    written.then(
      rows => rows !== null && unstored.stored(event),
      () => {}
    )
  }

  #tooLate(): TooLate {
    return new TooLate(`not written within ${this.#deps.withinMs} ms`)
  }
}

/** Watches over writes that must stand within a time, and counts those that still don't. */
class OverdueWrites {
  readonly #withinMs: number
  #late = 0

  constructor(withinMs: number) {
    this.#withinMs = withinMs
  }

  /** How many are being written for longer than they may take: the store hangs. */
  get late(): number {
    return this.#late
  }

  /** False when the promise is kept in time, true when it is late; it rejects as the promise does. */
  async isLate(written: Promise<unknown>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<true>(resolve => {
      // After a pause of this thread the answer may lie there unread: it has its turn before the verdict.
      timer = setTimeout(() => setImmediate(() => resolve(true)), this.#withinMs)
    })
    try {
      const isLate = await Promise.race([written.then(() => false), tooLate])
      if (isLate) this.#count(written)
      return isLate
    } finally {
      clearTimeout(timer)
    }
  }

  async #count(written: Promise<unknown>): Promise<void> {
    this.#late += 1
    await written.catch(() => {})
    this.#late -= 1
  }
}
