import { toAuditEvent } from '../../audit/ocsf.ts'
import { type Livestream, withoutKey } from '../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import type { Operation } from '../../domain/operation.ts'
import { type Failure, failureBody, StartUnsettled, UpstreamRefused } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { type Engine, type Statement, writeIf } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit-events.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { OperationEnd, Operations } from '../../store/tables/operations.ts'
import type { ActiveReads } from '../reads/active-reads.ts'
import type { BegunRuns } from '../running/begun-runs.ts'
import { followedForMs } from '../running/confirmed-stop.ts'
import { endedRun } from '../running/ended-run.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { SeenRun } from '../running/what-runs.ts'
import { subjectOfOperation } from './mutation.ts'
import type { SettleStart } from './reconcile-start.ts'
import type { SettleStop } from './reconcile-stop.ts'

export interface SettleDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'find' | 'ended' | 'unconfirmedStops' | 'overruled'>
  livestreams: Pick<Livestreams, 'observed'>
  auditEvents: Pick<AuditEvents, 'append'>
  changed: ActiveReads['changed']
  endingRuns: Pick<EndingRuns, 'started' | 'has' | 'isRecent'>
  begunRuns: Pick<BegunRuns, 'began'>
  /** Forgets what memory knows of a livestream whose row was written. */
  forget(livestreamId: string): void
  clock: Clock
}

/** Finds out what a start or a stop whose answer was lost came to, as far as the vendor shows. */
export interface Settle extends Pick<OperationEnds, 'overtake' | 'confirmStops' | 'keepRunning'> {
  /** One look, or one more try. True when the operation is settled by it, or was before. @throws what a Provider throws */
  (operation: Operation): Promise<boolean>
  /** When the next look at a start can settle it, in ms. */
  settledInMs(start: Operation): number
  /** An operation that has just become open. @param sentAtMs when it was sent, on the monotonic clock */
  note(operation: Operation, sentAtMs: number): void
}

export interface Settlers {
  ends: OperationEnds
  start: SettleStart
  stop: SettleStop
}

export function settler({ ends, start, stop }: Settlers): Settle {
  const settle = async (operation: Operation): Promise<boolean> => {
    if (await ends.isSettled(operation)) return true
    return operation.kind === 'start' ? start(operation) : stop(operation)
  }
  return Object.assign(settle, {
    overtake: ends.overtake,
    confirmStops: ends.confirmStops,
    keepRunning: ends.keepRunning,
    settledInMs: start.settledInMs,
    note: (operation: Operation, sentAtMs: number): void =>
      (operation.kind === 'start' ? start : stop).note(operation, sentAtMs)
  })
}

/** A run that a settled start, sent so long ago, has begun, or that was seen last and is over by a settled stop. */
export type LastRun = { began: SeenRun; agoMs: number } | { ended: Livestream | null }

/** Ends open operations: each once, together with what was seen and its event. */
export interface OperationEnds {
  /** Whether it is settled: by hand, by another look, or by what was written down late. */
  isSettled(operation: Operation): Promise<boolean>
  /** True when it is settled by this, or was before. */
  end(operation: Operation, how: OperationEnd, seen?: LastRun): Promise<boolean>
  /** Ends it as failed, with this answer to its caller. True as `end` is. */
  giveUp(operation: Operation, failure: Failure): Promise<boolean>
  /** Ends a stop that is still being repeated, because somebody wants the meeting live again. */
  overtake(stop: Operation): Promise<boolean>
  /** A stop was confirmed, or nothing is live: those of before that are still open have nothing left to do. */
  confirmStops(meeting: PlacedMeeting): Promise<void>
  /** Somebody wants the run that goes on: a stop that was confirmed, and has not ended it, is not repeated, after a restart either. */
  keepRunning(meeting: OwnedMeeting): Promise<void>
}

/** So many in one transaction: others wait behind it. */
const endedAtOnce = 100

export function operationEnds(deps: SettleDeps): OperationEnds {
  const { operations, livestreams, clock } = deps

  async function isSettled({ id }: Operation): Promise<boolean> {
    const now = await operations.find(id)
    // One that is not there yet waits to be written down: a stop that went on without the store.
    return now !== null && (now.state === 'done' || now.state === 'failed')
  }

  /** The end of an operation and its event; a conflict when it is settled by now. */
  function statementsOf(operation: Operation, how: OperationEnd, nowMs: number): Statement[] {
    const event = deps.auditEvents.append(settledEvent(operation, how, nowMs))
    return [{ ...operations.ended(operation.id, how, nowMs), changes: 1 }, event]
  }

  async function end(operation: Operation, how: OperationEnd, seen: LastRun = { ended: null }): Promise<boolean> {
    const meeting = meetingOf(operation)
    const nowMs = clock.now()
    const rows = 'ended' in seen ? endedRun(livestreams, meeting, seen.ended, nowMs) : begunRun(operation, seen.began)
    const written = await writeIf(deps.engine, [...rows, ...statementsOf(operation, how, nowMs)])
    const id = 'ended' in seen ? seen.ended?.id : seen.began.livestream.id
    if (id !== undefined) deps.forget(id)
    if ('began' in seen) {
      const { agoMs } = seen
      deps.endingRuns.started(meeting, agoMs)
      // A stop that came after the start has had the last word.
      if (!deps.endingRuns.isRecent(meeting)) {
        const { livestream, isNobodys } = seen.began
        deps.changed(meeting, livestream)
        if (!isNobodys) deps.begunRuns.began(meeting, livestream.id, agoMs)
      }
    }
    return written || isSettled(operation)
  }

  function begunRun({ tenantId, upstream, meetingId }: Operation, { livestream, isNobodys }: SeenRun): Statement[] {
    const owner = { id: livestream.id, tenantId, upstream, meetingId }
    return isNobodys ? [] : livestreams.observed(owner, withoutKey(livestream), clock.now())
  }

  function giveUp(operation: Operation, failure: Failure): Promise<boolean> {
    const { status, upstreamStatus, upstreamReason: reason } = failure
    const answer = { status, body: { error: failureBody(failure, operation.requestId) } }
    return end(operation, { state: 'failed', answer, upstreamStatus, reason })
  }

  /** The last word counts: an open stop must not end what was started, or wanted, after it. */
  function overtake(stop: Operation): Promise<boolean> {
    // Its caller has had an answer, and it was true.
    if (stop.answer !== null) return end(stop, { state: 'done' })
    const message = 'A later start of this meeting has overtaken it'
    return giveUp(stop, new UpstreamRefused({ outcome: 'failed', message }))
  }

  async function confirmStops(meeting: PlacedMeeting): Promise<void> {
    const stops = await operations.unconfirmedStops(meeting)
    for (let i = 0; i < stops.length; i += endedAtOnce) {
      const some = stops.slice(i, i + endedAtOnce)
      const statements = some.flatMap(stop => statementsOf(stop, stopEnd(stop), clock.now()))
      // One of them may be settled by now.
      if (!(await writeIf(deps.engine, statements))) for (const stop of some) await end(stop, stopEnd(stop))
    }
  }

  async function keepRunning(meeting: OwnedMeeting): Promise<void> {
    if (deps.endingRuns.has(meeting))
      await deps.engine.write([operations.overruled(meeting, clock.now() - followedForMs)])
    deps.endingRuns.started(meeting)
  }

  return { isSettled, end, giveUp, overtake, confirmStops, keepRunning }
}

/** The answer to every stop. */
export const stoppedData = { message: 'Stopped live stream successfully' }

/** End of a stop that has nothing left to do. One whose caller was answered keeps that answer. */
export function stopEnd({ answer }: Operation): OperationEnd {
  return answer === null ? { state: 'done', answer: { status: 200, body: { data: stoppedData } } } : { state: 'done' }
}

/** Refusal of a start in a meeting that an earlier one holds. @param inMs until that one can be settled */
export function unsettled(inMs: number): Failure {
  return new StartUnsettled({ outcome: 'not_sent', retryAfterSeconds: Math.max(1, Math.ceil(inMs / 1_000)) })
}

export function meetingOf({ tenantId, upstream, meetingId }: Operation): OwnedMeeting {
  return { id: meetingId ?? '', tenantId, upstream }
}

/** The audit event of a settling, by the gateway itself, with the ids of the call that it settles. */
export function settledEvent(operation: Operation, how: OperationEnd, nowMs: number) {
  const { state, livestreamId, answer, upstreamStatus, reason: upstreamReason } = how
  const subject = subjectOfOperation(operation, { type: 'Gateway', uid: 'settling' }, livestreamId)
  const outcome = state === 'done' ? ('done' as const) : ('failed' as const)
  const status = (answer ?? operation.answer)?.status
  return toAuditEvent(subject, { outcome, status, type: 'settled', upstreamStatus, upstreamReason }, nowMs)
}
