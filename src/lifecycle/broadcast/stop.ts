import { setTimeout as sleep } from 'node:timers/promises'
import type { Caller } from '../../domain/caller.ts'
import { isRunning } from '../../domain/livestream.ts'
import { type OwnedMeeting, placeOf } from '../../domain/meeting.ts'
import type { Operation } from '../../domain/operation.ts'
import { Failure, Internal, NoActiveLivestream, StartUnsettled, withOutcome } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import { type BroadcastEnds, stoppedData } from '../operations/broadcast-ends.ts'
import type { Done, Mutation } from '../operations/mutation.ts'
import type { RecheckPermission } from '../operations/recheck-permission.ts'
import type { Reconcile } from '../operations/reconcile.ts'
import type { ActiveReads } from '../reads/active-reads.ts'
import type { Bounded } from '../reads/deadline.ts'
import { endedRun } from '../running/ended-run.ts'
import type { WhatRuns } from '../running/what-runs.ts'
import type { MeetingQueue, StopTurn } from './meeting-queue.ts'
import type { SendStop, StopOutcome } from './send-stop.ts'
import type { StopPace } from './stop-pace.ts'
import type { StopRights } from './stop-rights.ts'

export interface StopDeps {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastOfMeeting' | 'observed'>
  operations: Pick<Operations, 'openStartAt'>
  queue: MeetingQueue<unknown, Stopped>
  pace: StopPace
  rights: StopRights
  recheckPermission: RecheckPermission
  auditTrail: AuditTrail
  send: SendStop
  reconcile: Reconcile
  ends: Pick<BroadcastEnds, 'confirmStops'>
  whatRuns: WhatRuns
  changed: ActiveReads['changed']
  clock: Clock
  bounded: Bounded
}

export interface Stopped {
  /** As far as is known nothing was live: the run that Livegate had seen was over. */
  fruitless: boolean
}

/**
 * Stops the meeting's livestream. Every stop goes upstream, also when Livegate thinks that nothing is live: a browser may
 * have begun a run that it never saw. Stops of one meeting are spaced, whatever the last one came to; those that come meanwhile
 * share the answer of the next.
 * @throws NoActiveLivestream when the vendor shows nothing live and Livegate never saw a run; StartUnsettled when nothing is
 * live while the outcome of a start is unknown; StopUnderWay when too many wait; else what a Provider throws, as `unknown`: then
 * the stop is repeated until it is confirmed or nothing is live
 */
export type Stop = (caller: Caller, meeting: OwnedMeeting) => Promise<Stopped>

/** The stop itself, and a look at what became of the start. */
const callsOfReconciling = 3
/** A stop that waits looks so often whether it is due. */
const lookAgainMs = 500

export function stop(deps: StopDeps): Stop {
  const { upstreams, livestreams, operations, queue, pace, rights, recheckPermission, auditTrail } = deps
  const { send, reconcile, ends, whatRuns, changed, clock, bounded } = deps

  return async (caller, meeting) => {
    const { result, led } = await queue.stop(placeOf(meeting), meeting.tenantId, turn => lead(caller, meeting, turn))
    // A stop that joined another one was told the same, and is on record too.
    if (!led) await auditTrail.answered(mutationOf(caller, meeting), { status: 200, data: stoppedData })
    return result
  }

  /** Its turn has come: nobody else starts or stops this meeting until it has ended. */
  async function lead(caller: Caller, meeting: OwnedMeeting, turn: StopTurn): Promise<Stopped> {
    const paused = await untilDue(meeting)
    if (paused || turn.waited) await recheckPermission(caller, meeting, 'stop')
    turn.depart()
    pace.sent(meeting)
    return bounded(async signal => {
      // Asked before the stop goes out: a start that is settled meanwhile may have begun something after it.
      const asked = operations.openStartAt(meeting).catch(() => null)
      const trail = await auditTrail.begin(mutationOf(caller, meeting))
      const openStart = await asked
      let outcome: StopOutcome
      try {
        const lane = openStart === null ? await rights.laneOf(meeting) : rights.laneDuringStart(meeting)
        outcome = await send(meeting, lane, signal)
        changed(meeting, null)
        if (openStart !== null) outcome = await reconcileStart(openStart, outcome, meeting, signal)
      } catch (error) {
        throw await trail.failed(asUnknown(error))
      }
      // The store may be away: then they end with the next one.
      if (!outcome.isWatched) await ends.confirmStops(meeting).catch(() => {})
      const done = await doneWith(meeting, outcome)
      await trail.done(done)
      if (done.failure !== undefined) throw done.failure
      return done.value
    })
  }

  /** Waits until the next attempt is due, which a start or a vendor that is well again makes sooner. True when it has waited. */
  async function untilDue(meeting: OwnedMeeting): Promise<boolean> {
    let waitMs = pace.waitMs(meeting)
    let sleptMs = 0
    while (sleptMs < waitMs) {
      const pauseMs = Math.min(waitMs - sleptMs, lookAgainMs)
      await sleep(pauseMs)
      sleptMs += pauseMs
      waitMs = Math.min(waitMs, sleptMs + pace.waitMs(meeting))
    }
    return sleptMs > 0
  }

  /**
   * Nothing is live, but a start whose answer was lost may still begin something: then nobody may call it stopped. The stop is
   * remembered, and sent again until that start is settled.
   */
  async function reconcileStart(
    start: Operation,
    outcome: StopOutcome,
    meeting: OwnedMeeting,
    signal: AbortSignal
  ): Promise<StopOutcome> {
    if (await reconcile(start).catch(() => false)) {
      const { livestream, isEnding, isUnclear } = await whatRuns(meeting, 'stop', signal)
      if (livestream !== null && !isEnding) return send(meeting, 'stop', signal)
      return isUnclear && outcome.confirmed === undefined ? { ...outcome, isWatched: true } : outcome
    }
    rights.noteFailed(meeting, callsOfReconciling)
    pace.failed(meeting)
    const message = 'An earlier start of this meeting is not settled yet: the stop is sent again when it is'
    throw new StartUnsettled({ message, outcome: 'unknown', retryAfterSeconds: 1 })
  }

  async function doneWith(meeting: OwnedMeeting, outcome: StopOutcome): Promise<Done<Stopped>> {
    const stopped = outcome.confirmed !== undefined
    const last = await livestreams.lastOfMeeting(meeting).catch(() => null)
    // A vendor may call it a success to stop nothing.
    const fruitless = !stopped || last === null || !isRunning(last.status)
    if (fruitless) rights.noteFruitless(meeting, stopped)
    else rights.noteLive(meeting)
    const told = { value: { fruitless }, ...outcome, livestreamId: last?.id ?? null }
    if (!stopped && last === null) return { ...told, status: 404, data: null, failure: new NoActiveLivestream() }
    // While it is watched the run may go on, and be hidden.
    const statements = outcome.isWatched ? [] : endedRun(livestreams, meeting, last, clock.now())
    return { ...told, status: 200, data: stoppedData, statements }
  }

  function mutationOf(caller: Caller, { id, upstream }: OwnedMeeting): Mutation {
    const vendorAtMs = upstreams.get(upstream)?.vendorNowMs('latest') ?? null
    return { caller, kind: 'stop', upstream, meetingId: id, goesOn: true, vendorAtMs }
  }
}

/** Whatever kept it from being confirmed: it is repeated, so nobody may take it for failed. */
function asUnknown(error: unknown): Failure {
  return withOutcome(error instanceof Failure ? error : new Internal({ cause: error }), 'unknown')
}
