import { type Ending, toAuditEvent } from '../../audit/ocsf.ts'
import type { UnstoredEvents } from '../../audit/unstored.ts'
import { canBeReconciled, type Operation } from '../../domain/operation.ts'
import { AuditUnavailable, Failure, failureBody, Internal } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Conflict, type Engine, UniqueViolation } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Operations } from '../../store/tables/operations.ts'
import { inSpan } from '../../tracing/trace.ts'
import { type Done, endAfter, inUse, type Made, type Mutation, outcomeOf } from './mutation.ts'
import { operationOf, subjectOf, TooLate, TrailWriter } from './trail-writer.ts'
import type { WriteBehind } from './write-behind.ts'

export interface AuditTrailDeps {
  /** Writes in order: nothing before what waits in the write-behind. */
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'sent' | 'wentOn' | 'sentAgain' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  writeBehind: Pick<WriteBehind, 'add' | 'behind' | 'caughtUp'>
  /** An operation whose outcome is unknown, and can be found out. @param sentAtMs on the monotonic clock */
  reconcileLater(operation: Operation, sentAtMs: number): void
  /** Forgets what memory knows of a livestream whose row was written. */
  forget(livestreamId: string): void
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

/** The records of mutations: no record, no work. */
export interface AuditTrail {
  /**
   * Writes the operation and the audit intent in one durable transaction: nothing is sent before it has come back.
   * @throws AuditUnavailable when it can't be written; StartUnsettled when the meeting has an open start
   */
  begin(mutation: Mutation): Promise<Trail>
  /** Begins the trail, does the work, and writes its outcome before the caller has its answer. @throws as `begin`; what the work throws */
  around<T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T>
  /**
   * Says yes to a mutation for which nothing is sent, since it is so already, another call has done it, or it is done by its statements.
   * Its one event stands before the answer too, and under a key its answer.
   * @throws AuditUnavailable when it can't be written; IdempotencyKeyInUse; Conflict when a statement has changed another number of rows
   */
  answered(mutation: Mutation, done: Omit<Done<unknown>, 'value'>): Promise<void>
  /** Writes the intent of a mutation that `answered` ends, and that needs no row before. @throws AuditUnavailable when it can't be written */
  intend(mutation: Mutation): Promise<void>
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

export function auditTrailIn(deps: AuditTrailDeps): AuditTrail {
  const { operations, writeBehind, reconcileLater, forget, clock, writeWithinMs = 900 } = deps
  const writer = new TrailWriter({ ...deps, withinMs: writeWithinMs })
  const underWay = new Set<Promise<unknown>>()

  return {
    begin,
    answered,

    async intend(mutation) {
      const event = toAuditEvent(subjectOf(mutation, {}), { outcome: 'pending' }, clock.now())
      await writer.write([], event).catch(cause => {
        throw new AuditUnavailable({ cause, outcome: 'not_sent' })
      })
    },

    async around(mutation, work) {
      const trail = await begin(mutation)
      let done: Awaited<ReturnType<typeof work>>
      try {
        done = await work()
      } catch (error) {
        throw await trail.failed(error)
      }
      return trail.done(done)
    },

    async caughtUp() {
      try {
        await writer.inTime(writeBehind.caughtUp())
      } catch (cause) {
        throw new AuditUnavailable({ cause, outcome: 'not_sent' })
      }
    },

    late: () => writer.late,

    async idle() {
      while (underWay.size > 0) await Promise.allSettled(underWay)
    }
  }

  async function begin(mutation: Mutation): Promise<Trail> {
    const { caller, goesOn = false, rows = [], unsent = [] } = mutation
    const startedMs = clock.monotonic()
    const operation = operationOf(mutation, clock.now())
    const ended = Promise.withResolvers<void>()
    const sent = [operations.sent(operation), ...rows]
    // Without a row nothing would tell that a later start overtakes it.
    const lateRows = goesOn ? [operations.wentOn(operation)] : sent
    const event = (ending: Ending, made: Made = {}) => toAuditEvent(subjectOf(mutation, made), ending, clock.now())
    const durationMs = (): number => clock.monotonic() - startedMs

    underWay.add(ended.promise)
    ended.promise.then(() => underWay.delete(ended.promise))
    try {
      // A mutation that goes on wants its record however late. Any other must not be recorded as sent when its caller was refused.
      await inSpan('audit intent', { 'livegate.operation': operation.id }, () =>
        goesOn
          ? writer.writeHoweverLate(sent, event({ outcome: 'pending' }), { isAwaited: true, lateRows })
          : writer.intend(sent, unsent, operation, event)
      )
    } catch (cause) {
      if (cause instanceof UniqueViolation || !goesOn) ended.resolve()
      if (cause instanceof UniqueViolation) throw inUse(cause)
      if (!goesOn) throw new AuditUnavailable({ cause, outcome: 'not_sent' })
      writer.keep(lateRows, event({ outcome: 'pending' }), cause)
    }
    caller.markAudited()

    return {
      operation,

      again() {
        const rows = [operations.sentAgain(operation.id, clock.now())]
        return writer.write(rows, event({ outcome: 'pending', type: 'sent_again' }))
      },

      async failed(error, { freesKey = false } = {}) {
        const failure = error instanceof Failure ? error : new Internal()
        const outcome = outcomeOf(failure)
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
        await writer.end(operation, freed ? { ...how, answer: null, freesKey } : how, ending)
        ended.resolve()
        if (outcome === 'unknown' && canBeReconciled(operation.kind)) reconcileLater(operation, startedMs)
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
        const how = {
          state,
          livestreamId,
          answer,
          confirmed,
          upstreamStatus,
          reason: upstreamReason,
          runId: done.runId
        } as const
        const written = await writer.end(operation, how, ending, done.statements)
        ended.resolve()
        if (done.isWatched) reconcileLater({ ...operation, answer: how.answer }, clock.monotonic())
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
    { status, data, livestreamId = null, streamKeyRevealed, statements = [] }: Omit<Done<unknown>, 'value'>
  ): Promise<void> {
    const { caller, goesOn = false } = mutation
    const nowMs = clock.now()
    const end = { state: 'done', livestreamId, answer: { status, body: { data } }, settledAtMs: nowMs } as const
    const row = caller.idempotency === null ? [] : [operations.sent({ ...operationOf(mutation, nowMs), ...end })]
    const rows = [...statements, ...row]
    const ending = { outcome: 'done', status, streamKeyRevealed } as const
    const event = toAuditEvent(subjectOf(mutation, { livestreamId }), ending, nowMs)
    try {
      await inSpan('audit outcome', {}, () =>
        goesOn ? writer.writeHoweverLate(rows, event, { isAwaited: false }) : writer.write(rows, event)
      )
    } catch (cause) {
      if (cause instanceof UniqueViolation) throw inUse(cause)
      if (cause instanceof Conflict) throw cause
      // By its own statements it is done as soon as they stand, which they may do behind this answer.
      const isOpen = cause instanceof TooLate && statements.length > 0
      if (!goesOn) throw new AuditUnavailable({ cause, outcome: isOpen ? 'unknown' : 'not_sent' })
      writer.keep(rows, event, cause)
    }
    caller.markAudited()
  }
}
