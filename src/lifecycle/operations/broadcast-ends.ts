import { isRunning, type Livestream, withoutKey } from '../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import type { Operation } from '../../domain/operation.ts'
import { type Failure, StartUnsettled, UpstreamRefused } from '../../domain/refusals/failures.ts'
import { type Clock, notSetForward } from '../../domain/values/clock.ts'
import { type Engine, type Statement, writeIf } from '../../store/engine/engine.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { OperationEnd, Operations } from '../../store/tables/operations.ts'
import { type Ledger, placeOfRun } from '../ledger/ledger.ts'
import type { ActiveReads } from '../reads/shared-reads.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { OwnStarts } from '../running/own-actions.ts'
import type { SeenRun } from '../running/sight.ts'
import { followedForMs } from '../running/verdict.ts'
import { failedAnswer, meetingOf, type OperationEnds } from './operation-ends.ts'

export interface BroadcastEndsDeps {
  ends: OperationEnds
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'unconfirmedStops' | 'overruled'>
  livestreams: Pick<Livestreams, 'observed'>
  changed: ActiveReads['changed']
  endingRuns: Pick<EndingRuns, 'started' | 'has' | 'isRecent'>
  ownStarts: Pick<OwnStarts, 'began'>
  ledger: Pick<Ledger, 'note' | 'prepare'>
  clock: Clock
}

/** A run that a settled start, sent so long ago, has begun, or that was seen last and is over by a settled stop, with other rows of its end. */
export type LastRun = { began: SeenRun; agoMs: number } | { ended: Livestream | null; rows?: Statement[] }

/** Ends open starts and stops, and remembers what that says of the meeting's run. */
export interface BroadcastEnds extends Pick<OperationEnds, 'isSettled'> {
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

export function broadcastEnds(deps: BroadcastEndsDeps): BroadcastEnds {
  const { ends, engine, operations, livestreams, endingRuns, ownStarts, ledger, clock } = deps
  const recallClock = notSetForward(clock)

  async function end(operation: Operation, how: OperationEnd, seen: LastRun = { ended: null }): Promise<boolean> {
    const meeting = meetingOf(operation)
    if ('ended' in seen) {
      const rows = [...endedRun(livestreams, meeting, seen.ended, clock.now()), ...(seen.rows ?? [])]
      return ends.end(operation, how, { rows, livestreamId: seen.ended?.id })
    }
    const { began, agoMs } = seen
    const place = placeOfRun(meeting, operation.id, clock.now())
    const { id: livestreamId, status, playback_url: playbackUrl = null } = began.livestream
    const begun = await ledger.prepare({ kind: 'started', ...place, livestreamId, status, playbackUrl })
    const rows = [...begunRun(operation, began), ...begun.statements]
    const written = await ends.end(operation, { ...how, runId: begun.run?.id }, { rows, livestreamId })
    await begun.committed()
    endingRuns.started(meeting, agoMs)
    // A stop that came after the start has had the last word.
    if (!endingRuns.isRecent(meeting)) {
      deps.changed(meeting, began.livestream)
      if (!began.isNobodys) ownStarts.began(meeting, began.livestream.id, agoMs)
    }
    return written
  }

  function begunRun({ tenantId, upstream, meetingId }: Operation, { livestream, isNobodys }: SeenRun): Statement[] {
    const owner = { id: livestream.id, tenantId, upstream, meetingId }
    return isNobodys ? [] : livestreams.observed(owner, withoutKey(livestream), clock.now())
  }

  async function giveUp(operation: Operation, failure: Failure): Promise<boolean> {
    const { upstreamStatus, upstreamReason: reason } = failure
    const how = { state: 'failed', answer: failedAnswer(operation, failure), upstreamStatus, reason } as const
    const isSettled = await end(operation, how)
    if (operation.kind === 'start') {
      await ledger.note({ kind: 'refused', ...placeOfRun(meetingOf(operation), operation.id, clock.now()) })
    }
    return isSettled
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
      const statements = some.flatMap(stop => ends.statementsOf(stop, stopEnd(stop)))
      // One of them may be settled by now.
      if (!(await writeIf(engine, statements))) for (const stop of some) await end(stop, stopEnd(stop))
    }
  }

  async function keepRunning(meeting: OwnedMeeting): Promise<void> {
    // The clock may be right again when the next process recalls what was stopped.
    const sinceMs = recallClock.now() - followedForMs
    if (endingRuns.has(meeting)) await engine.write([operations.overruled(meeting, sinceMs)])
    endingRuns.started(meeting)
  }

  return { isSettled: ends.isSettled, end, giveUp, overtake, confirmStops, keepRunning }
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

/**
 * Statements that keep the run of this meeting as over that was seen last: its stop is confirmed, or two looks have shown nothing. A
 * later look may tell how it ended.
 */
export function endedRun(
  livestreams: Pick<Livestreams, 'observed'>,
  { id: meetingId, tenantId, upstream }: OwnedMeeting,
  last: Livestream | null,
  nowMs: number
): Statement[] {
  if (last === null || !isRunning(last.status)) return []
  return livestreams.observed({ id: last.id, tenantId, upstream, meetingId }, { ...last, status: 'IDLE' }, nowMs)
}
