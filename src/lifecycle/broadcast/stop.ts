import type { Caller } from '../../domain/caller.ts'
import { placeOf } from '../../domain/id.ts'
import type { Livestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Operation } from '../../domain/operation.ts'
import { Failure, Internal, NoActiveLivestream, StartUnsettled, withOutcome } from '../../domain/refusals/failures.ts'
import type { StoppedNews } from '../../domain/runs/run.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Statement } from '../../store/engine/engine.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { LimitTime } from '../context.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import { type BroadcastEnds, endedRun, stoppedData } from '../operations/broadcast-ends.ts'
import type { Done, Mutation } from '../operations/mutation.ts'
import type { Reconcile } from '../operations/reconcile.ts'
import type { ReconcileLoop } from '../operations/reconcile-loop.ts'
import type { ActiveReads } from '../reads/shared-reads.ts'
import type { WhatRuns } from '../running/sight.ts'
import type { AmongReplicas } from './among-replicas.ts'
import type { RecheckPermission } from './before-sending.ts'
import type { MeetingQueue, StopTurn } from './meeting-queue.ts'
import type { SendStop, StopOutcome } from './send-stop.ts'
import type { StopPace } from './stop-pace.ts'
import type { FruitlessStops, StopRights } from './stop-rights.ts'

export interface StopDeps {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastOfMeeting' | 'observed'>
  operations: Pick<Operations, 'openStartAt'>
  reconcileLoop: Pick<ReconcileLoop, 'openStartAt'>
  queue: MeetingQueue<unknown, Stopped>
  among: Pick<AmongReplicas, 'stop'>
  pace: StopPace
  rights: StopRights
  fruitlessStops: Pick<FruitlessStops, 'account'>
  recheckPermission: RecheckPermission
  auditTrail: AuditTrail
  send: SendStop
  reconcile: Reconcile
  ends: Pick<BroadcastEnds, 'confirmStops'>
  whatRuns: WhatRuns
  changed: ActiveReads['changed']
  ledger: Pick<Ledger, 'prepare'>
  clock: Clock
  limitTime: LimitTime
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

export function stop(deps: StopDeps): Stop {
  const { upstreams, livestreams, operations, queue, pace, rights, fruitlessStops, recheckPermission, auditTrail } =
    deps
  const { among, send, reconcile, reconcileLoop, ends, whatRuns, changed, ledger, clock, limitTime } = deps

  return async (caller, meeting) => {
    const turn = await queue.enterStop(placeOf(meeting), meeting.tenantId)
    if (!('joined' in turn)) return turn.take(stopInTurn(caller, meeting, turn))
    // A stop that joined another one was told the same, and is on record too.
    await auditTrail.answered(mutationOf(caller, meeting), { status: 200, data: stoppedData })
    return turn.joined
  }

  /** The way of a stop, from top to bottom: nobody else starts or stops this meeting until it has ended. */
  async function stopInTurn(
    caller: Caller,
    meeting: OwnedMeeting,
    { waited, depart }: StopTurn<Stopped>
  ): Promise<Stopped> {
    using held = await among.stop(meeting)
    const hasPaused = await pace.untilDue(meeting)
    if (hasPaused || waited || held.waited) await recheckPermission(caller, meeting, 'stop')
    depart()
    pace.sent(meeting)
    using limit = limitTime()
    // Asked before the stop goes out: a start that is settled meanwhile may have begun something after it.
    const asked = operations.openStartAt(meeting).catch(() => reconcileLoop.openStartAt(meeting))
    const trail = await auditTrail.begin(mutationOf(caller, meeting))
    const outcome = await sendBeside(await asked, meeting, limit.signal).catch(error => asUnknown(error))
    if (outcome instanceof Failure) throw await trail.failed(outcome)
    // The store may be away: then they end with the next one.
    if (!outcome.isWatched) await ends.confirmStops(meeting).catch(() => {})
    const last = await livestreams.lastOfMeeting(meeting).catch(() => null)
    const ended = outcome.isWatched ? null : await ledger.prepare(newsOf(meeting, outcome, last))
    const done = doneWith(meeting, outcome, last, ended?.statements ?? [])
    await trail.done(done)
    await ended?.committed()
    if (done.failure !== undefined) throw done.failure
    return done.value
  }

  /** Sends the stop. Beside a start of unknown outcome that start is reconciled as well. */
  async function sendBeside(
    openStart: Operation | null,
    meeting: OwnedMeeting,
    signal: AbortSignal
  ): Promise<StopOutcome> {
    const priority = openStart === null ? await rights.priorityOf(meeting) : rights.priorityDuringStart(meeting)
    const outcome = await send(meeting, priority, signal)
    changed(meeting, null)
    return openStart === null ? outcome : reconcileStart(openStart, outcome, meeting, signal)
  }

  /**
   * Reconciles an open start beside the stop. Nothing is live, but that start may still begin something: until it is settled the
   * meeting is not called stopped, and the stop is sent again.
   */
  async function reconcileStart(
    start: Operation,
    outcome: StopOutcome,
    meeting: OwnedMeeting,
    signal: AbortSignal
  ): Promise<StopOutcome> {
    if (await reconcile(start).catch(() => false)) {
      const { livestream, isEnding, isUnclear } = await whatRuns(meeting, 'stop', signal)
      // Nothing tells whether the run of that start began before the stop: only another stop surely ends it.
      return livestream !== null && (!isEnding || isUnclear) ? send(meeting, 'stop', signal) : outcome
    }
    rights.noteFailed(meeting, outcome.calls)
    pace.failed(meeting)
    const message = 'An earlier start of this meeting is not settled yet: the stop is sent again when it is'
    throw new StartUnsettled({ message, outcome: 'unknown', retryAfterSeconds: 1 })
  }

  /** A run that was over before the stop came has ended by itself. */
  function newsOf(
    { id: meetingId, tenantId, upstream }: OwnedMeeting,
    { confirmed }: StopOutcome,
    last: Livestream | null
  ): StoppedNews {
    const endedBy = confirmed === undefined ? 'outside' : 'tenant'
    return {
      kind: 'stopped',
      tenantId,
      upstream,
      meetingId,
      livestreamId: last?.id ?? null,
      endedBy,
      atMs: clock.now()
    }
  }

  function doneWith(
    meeting: OwnedMeeting,
    outcome: StopOutcome,
    last: Livestream | null,
    rows: Statement[]
  ): Done<Stopped> {
    const stopped = outcome.confirmed !== undefined
    const fruitless = fruitlessStops.account(meeting, stopped, last)
    const told = { value: { fruitless }, ...outcome, livestreamId: last?.id ?? null }
    if (!stopped && last === null) return { ...told, status: 404, data: null, failure: new NoActiveLivestream() }
    // While it is watched the run may go on, and be hidden.
    const statements = outcome.isWatched ? [] : [...endedRun(livestreams, meeting, last, clock.now()), ...rows]
    return { ...told, status: 200, data: stoppedData, statements }
  }

  function mutationOf(caller: Caller, { id, upstream }: OwnedMeeting): Mutation {
    const vendorAtMs = upstreams.get(upstream)?.vendorNowMs('latest') ?? null
    return { caller, kind: 'stop', upstream, meetingId: id, goesOn: true, vendorAtMs }
  }
}

/** The failure as an unknown outcome: the stop is repeated, so it must not be taken for failed. */
function asUnknown(error: unknown): Failure {
  return withOutcome(error instanceof Failure ? error : new Internal({ cause: error }), 'unknown')
}
