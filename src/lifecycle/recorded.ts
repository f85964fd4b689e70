import { type Ending, toAuditEvent } from '../audit/ocsf.ts'
import type { AuditEvent } from '../domain/audit-event.ts'
import type { Clock } from '../domain/clock.ts'
import { AuditUnavailable, Failure, Internal } from '../domain/failures.ts'
import { canBeSettled, type Operation } from '../domain/operation.ts'
import type { AuditEvents } from '../store/audit-events.ts'
import { type Engine, type Statement, UniqueViolation } from '../store/engine.ts'
import type { OperationEnd, Operations } from '../store/operations.ts'
import { Lateness } from './lateness.ts'
import { type Done, endAfter, inUse, type Made, type Mutation, operationOf, subjectOf } from './mutation.ts'

export interface RecorderDeps {
  /** Writes in order: nothing before what waits to be repaired. */
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'sent' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  /** Takes what could not be written, and tries again until the store does. */
  repair(statements: Statement[]): void
  /** Takes note of an intent that was sent on before it is written: what comes later is written later. */
  late(written: Promise<unknown>): void
  /** An operation whose outcome is unknown, and can be found out. */
  settleLater(operation: Operation): void
  /** Forgets what memory knows of a livestream whose row was written. */
  forget(livestreamId: string): void
  log: { error(facts: object, message: string): void }
  clock: Clock
  /** A mutation's record must stand within this time; else the caller is refused, within a second, and nothing is sent. */
  writeWithinMs?: number
}

export interface Recorded {
  <T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T>
  /**
   * Says yes to a mutation for which nothing is sent, since it is so already or another call has done it: its one event stands
   * before the answer too, and under a key its answer. @throws AuditUnavailable when it can't be written; IdempotencyKeyInUse
   */
  answered(mutation: Mutation, done: Omit<Done<unknown>, 'value' | 'statements'>): Promise<void>
  /** How many records are being written for longer than they may take: the store hangs. */
  late(): number
  /** Waits until no mutation is under way, also those whose caller has hung up. */
  idle(): Promise<void>
}

/**
 * No record, no work: writes the operation and the audit intent in one durable transaction, does the work, and writes the
 * outcome before the caller has its answer.
 * @throws AuditUnavailable when it can't be written; StartUnsettled when the meeting has an open start; what the work throws
 */
export function recorder(deps: RecorderDeps): Recorded {
  const { engine, operations, auditEvents, repair, late, settleLater, forget, log, clock, writeWithinMs = 900 } = deps
  const underWay = new Set<Promise<unknown>>()
  const lateness = new Lateness(writeWithinMs)

  function recorded<T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T> {
    const running = run(mutation, work)
    underWay.add(running)
    return running.finally(() => underWay.delete(running))
  }
  recorded.answered = answered
  recorded.late = () => lateness.late
  recorded.idle = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.allSettled(underWay)
  }
  return recorded

  async function run<T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T> {
    const { caller, goesOn = false } = mutation
    const startedMs = clock.monotonic()
    const operation = operationOf(mutation, clock.now())
    const sent = [operations.sent(operation)]
    const event = (ending: Ending, made: Made = {}) => toAuditEvent(subjectOf(mutation, made), ending, clock.now())

    try {
      await begin(sent, operation, event, goesOn)
    } catch (cause) {
      if (cause instanceof UniqueViolation) throw inUse(cause)
      if (!goesOn) throw new AuditUnavailable({ cause, outcome: 'not_sent' })
      keep(sent, event({ outcome: 'pending' }), cause)
    }
    caller.markRecorded()

    let done: Done<T>
    try {
      done = await work()
    } catch (error) {
      const failure = error instanceof Failure ? error : new Internal()
      const outcome = failure.outcome ?? (failure.status < 500 ? 'failed' : 'unknown')
      const ending = event({
        outcome: failure.status < 500 && outcome !== 'unknown' ? 'refused' : outcome,
        status: failure.status,
        type: failure.type,
        upstreamStatus: failure.upstreamStatus,
        upstreamReason: failure.upstreamReason,
        durationMs: clock.monotonic() - startedMs
      })
      // The caller hears of the work's failure, not of a second one in writing it down.
      await end(operation, endAfter(outcome, failure, operation), ending)
      if (outcome === 'unknown' && canBeSettled(operation.kind)) settleLater(operation)
      throw error
    }

    const ending = event(
      {
        outcome: done.status < 400 ? 'done' : 'refused',
        status: done.status,
        streamKeyRevealed: done.streamKeyRevealed,
        durationMs: clock.monotonic() - startedMs
      },
      done
    )
    const answer = { status: done.status, body: { data: done.data } }
    const livestreamId = done.livestreamId ?? null
    const written = await end(operation, { state: 'done', livestreamId, answer }, ending, done.statements)
    if (!written && !goesOn) {
      throw new AuditUnavailable({ outcome: 'unknown', message: 'It was sent, but its outcome could not be recorded' })
    }
    if (done.livestreamId != null) forget(done.livestreamId)
    return done.value
  }

  async function answered(
    mutation: Mutation,
    { status, data, livestreamId = null, streamKeyRevealed }: Omit<Done<unknown>, 'value' | 'statements'>
  ): Promise<void> {
    const { caller, goesOn = false } = mutation
    const nowMs = clock.now()
    const answer = { status, body: { data } }
    const settled = { state: 'done', livestreamId, answer, settledAtMs: nowMs } as const
    const row = caller.idempotency === null ? [] : [operations.sent({ ...operationOf(mutation, nowMs), ...settled })]
    const ending = { outcome: 'done', status, streamKeyRevealed } as const
    const event = toAuditEvent(subjectOf(mutation, { livestreamId }), ending, nowMs)
    const written = engine.write([...row, auditEvents.append(event)], goesOn ? {} : { withinMs: writeWithinMs })
    try {
      if (await lateness.isLate(written)) {
        if (!goesOn) throw new Error(`not written within ${writeWithinMs} ms`)
        tellOf(event)
        written.catch(cause => keep(row, event, cause))
      }
    } catch (cause) {
      if (cause instanceof UniqueViolation) throw inUse(cause)
      if (!goesOn) throw new AuditUnavailable({ cause, outcome: 'not_sent' })
      keep(row, event, cause)
    }
    caller.markRecorded()
  }

  /** The intent, in time. One that is written after its caller was told otherwise is closed at once: nothing was sent. */
  async function begin(
    sent: Statement[],
    operation: Operation,
    event: (ending: Ending) => AuditEvent,
    goesOn: boolean
  ): Promise<void> {
    const intent = event({ outcome: 'pending' })
    const statements = [...sent, auditEvents.append(intent)]
    // What goes on wants its record however late; all else must not be recorded as sent when its caller was refused.
    const written = engine.write(statements, goesOn ? {} : { withinMs: writeWithinMs })
    if (!(await lateness.isLate(written))) return
    if (goesOn) {
      tellOf(intent)
      late(written.catch(cause => keep(sent, intent, cause)))
    } else {
      const ending = { outcome: 'not_sent', type: 'audit_unavailable' } as const
      const close = () => [
        operations.ended(operation.id, { state: 'failed', freesKey: true }, clock.now()),
        auditEvents.append(event(ending))
      ]
      // If it was not written it is as its caller was told.
      written.then(() => engine.write(close()).catch(() => repair(close()))).catch(() => {})
      throw new Error(`not written within ${writeWithinMs} ms`)
    }
  }

  /** True when it stands in time. Else it is still being written, or waits for the store to be repaired: false. Never throws. */
  async function end(
    { id }: Operation,
    how: OperationEnd,
    ending: AuditEvent,
    statements: Statement[] = []
  ): Promise<boolean> {
    // While the intent still waits to be written down there is no row to end: then its end waits behind it.
    const outcome = [...statements, { ...operations.ended(id, how, clock.now()), changes: 1 }]
    const written = engine.write([...outcome, auditEvents.append(ending)]).catch(cause => {
      keep(outcome, ending, cause)
      return null
    })
    if (!(await lateness.isLate(written))) return (await written) !== null
    tellOf(ending)
    return false
  }

  /** Whatever becomes of this process and its disk, the operational log has it. */
  function tellOf(event: AuditEvent): void {
    log.error({ event }, 'an audit event is not written yet: the store is slow')
  }

  function keep(statements: Statement[], event: AuditEvent, cause: unknown): void {
    log.error({ err: cause, event }, 'an audit event could not be written: it is kept and tried again')
    repair([...statements, auditEvents.append(event)])
  }
}
