import { type Ending, toAuditEvent } from '../../audit/ocsf.ts'
import type { UnstoredEvents } from '../../audit/unstored.ts'
import type { AuditEvent } from '../../domain/audit/audit-event.ts'
import { canBeSettled, type Operation } from '../../domain/operation.ts'
import { AuditUnavailable, Failure, failureBody, Internal } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { type Engine, type Statement, UniqueViolation } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit-events.ts'
import type { OperationEnd, Operations } from '../../store/tables/operations.ts'
import { type Done, endAfter, inUse, type Made, type Mutation, operationOf, subjectOf } from './mutation.ts'
import { Lateness } from './overdue-writes.ts'

export interface RecorderDeps {
  /** Writes in order: nothing before what waits to be repaired. */
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'sent' | 'sentAgain' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  /** Takes what could not be written, and tries again until the store does; then it says so. */
  repair(statements: Statement[], onWritten?: () => void): void
  /** Takes note of what is still being written though its call has gone on: what comes later is written later. */
  late(written: Promise<unknown>): void
  /** Ends when all that is older is in the store. */
  caughtUp(): Promise<void>
  /** An operation whose outcome is unknown, and can be found out. @param sentAtMs on the monotonic clock */
  settleLater(operation: Operation, sentAtMs: number): void
  /** Forgets what memory knows of a livestream whose row was written. */
  forget(livestreamId: string): void
  /** Has the log tell of what the store does not have yet. */
  unstored: Pick<UnstoredEvents, 'tell' | 'stored'>
  clock: Clock
  /** A mutation's record must stand within this time; else the caller is refused, within a second, and nothing is sent. */
  writeWithinMs?: number
}

/** The record of a mutation that is under way. It is to be ended once, by `failed` or by `done`. */
export interface Trail {
  readonly operation: Operation
  /** The mutation is sent a second time: that stands, durably, before its first byte. @throws when it can't be written in time */
  again(): Promise<void>
  /** Writes down how it failed, and gives the error back to be thrown. `freesKey`: nothing came of it, the key may be used again. */
  failed(error: unknown, how?: { freesKey?: boolean }): Promise<unknown>
  /** Writes down what it came to, before the caller has its answer. @throws AuditUnavailable when that can't be written */
  done<T>(done: Done<T>): Promise<T>
}

export interface Recorded {
  /**
   * The same in two steps, for work that is more than one function: nothing is sent before `begin` has come back.
   * @throws AuditUnavailable when it can't be written; StartUnsettled when the meeting has an open start
   */
  begin(mutation: Mutation): Promise<Trail>
  <T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T>
  /**
   * Says yes to a mutation for which nothing is sent, since it is so already or another call has done it: its one event stands
   * before the answer too, and under a key its answer. @throws AuditUnavailable when it can't be written; IdempotencyKeyInUse
   */
  answered(mutation: Mutation, done: Omit<Done<unknown>, 'value' | 'statements'>): Promise<void>
  /**
   * Waits until every record of before stands, so that the store tells what is open.
   * @throws AuditUnavailable, `not_sent`, when that takes too long
   */
  caughtUp(): Promise<void>
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
  const {
    engine,
    operations,
    auditEvents,
    repair,
    late,
    caughtUp,
    settleLater,
    forget,
    unstored,
    clock,
    writeWithinMs = 900
  } = deps
  const underWay = new Set<Promise<unknown>>()
  const lateness = new Lateness(writeWithinMs)

  async function recorded<T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T> {
    const trail = await begin(mutation)
    let done: Done<T>
    try {
      done = await work()
    } catch (error) {
      throw await trail.failed(error)
    }
    return trail.done(done)
  }
  recorded.begin = begin
  recorded.answered = answered
  recorded.caughtUp = async (): Promise<void> => {
    try {
      if (await lateness.isLate(caughtUp())) throw new Error(`not written within ${writeWithinMs} ms`)
    } catch (cause) {
      throw new AuditUnavailable({ cause, outcome: 'not_sent' })
    }
  }
  recorded.late = () => lateness.late
  recorded.idle = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.allSettled(underWay)
  }
  return recorded

  async function begin(mutation: Mutation): Promise<Trail> {
    const { caller, goesOn = false } = mutation
    const startedMs = clock.monotonic()
    const operation = operationOf(mutation, clock.now())
    const ended = Promise.withResolvers<void>()
    const sent = [operations.sent(operation)]
    const event = (ending: Ending, made: Made = {}) => toAuditEvent(subjectOf(mutation, made), ending, clock.now())
    const durationMs = (): number => clock.monotonic() - startedMs

    underWay.add(ended.promise)
    ended.promise.then(() => underWay.delete(ended.promise))
    try {
      await intend(sent, operation, event, goesOn)
    } catch (cause) {
      if (cause instanceof UniqueViolation || !goesOn) ended.resolve()
      if (cause instanceof UniqueViolation) throw inUse(cause)
      if (!goesOn) throw new AuditUnavailable({ cause, outcome: 'not_sent' })
      keep(sent, event({ outcome: 'pending' }), cause)
    }
    caller.markRecorded()

    return {
      operation,

      async again() {
        const statements = [operations.sentAgain(operation.id, clock.now())]
        const intent = auditEvents.append(event({ outcome: 'pending', type: 'sent_again' }))
        const written = engine.write([...statements, intent], { withinMs: writeWithinMs })
        if (await lateness.isLate(written)) throw new Error(`not written within ${writeWithinMs} ms`)
      },

      async failed(error, { freesKey = false } = {}) {
        const failure = error instanceof Failure ? error : new Internal()
        const outcome = failure.outcome ?? (failure.status < 500 ? 'failed' : 'unknown')
        const ending = event({
          outcome: failure.status < 500 && outcome !== 'unknown' ? 'refused' : outcome,
          status: failure.status,
          type: failure.type,
          upstreamStatus: failure.upstreamStatus,
          upstreamReason: failure.upstreamReason,
          durationMs: durationMs()
        })
        // The caller hears of the work's failure, not of a second one in writing it down.
        const how = endAfter(outcome, failure, operation)
        const freed = freesKey && how.state === 'failed'
        await end(operation, freed ? { ...how, answer: null, freesKey } : how, ending)
        ended.resolve()
        if (outcome === 'unknown' && canBeSettled(operation.kind)) settleLater(operation, startedMs)
        return error
      },

      async done(done) {
        const { upstreamStatus, upstreamReason } = done.refused ?? done.failure ?? {}
        const ending = event(
          {
            outcome: done.status < 400 ? 'done' : 'refused',
            status: done.status,
            type: done.failure?.type,
            upstreamStatus,
            upstreamReason,
            streamKeyRevealed: done.streamKeyRevealed,
            durationMs: durationMs()
          },
          done
        )
        const body =
          done.failure === undefined ? { data: done.data } : { error: failureBody(done.failure, operation.requestId) }
        const livestreamId = done.livestreamId ?? null
        const state = done.isWatched ? 'unknown' : done.status < 400 ? 'done' : 'failed'
        const answer = { status: done.status, body }
        const { confirmed } = done
        const how = { state, livestreamId, answer, confirmed, upstreamStatus, reason: upstreamReason } as const
        const written = await end(operation, how, ending, done.statements)
        ended.resolve()
        if (done.isWatched) settleLater({ ...operation, answer: how.answer }, clock.monotonic())
        if (!written && !goesOn) {
          throw new AuditUnavailable({
            outcome: 'unknown',
            message: 'It was sent, but its outcome could not be recorded'
          })
        }
        if (done.livestreamId != null) forget(done.livestreamId)
        return done.value
      }
    }
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
        tellOf(event, written)
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
  async function intend(
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
      tellOf(intent, written)
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
    tellOf(ending, written)
    late(written)
    return false
  }

  /** Whatever becomes of this process and its disk, the operational log has it. */
  function tellOf(event: AuditEvent, written: Promise<unknown>): void {
    unstored.tell(event, 'an audit event is not written yet: the store is slow')
    written.then(
      rows => rows !== null && unstored.stored(event),
      () => {}
    )
  }

  function keep(statements: Statement[], event: AuditEvent, cause: unknown): void {
    unstored.tell(event, 'an audit event could not be written: it is kept and tried again', cause)
    repair([...statements, auditEvents.append(event)], () => unstored.stored(event))
  }
}
