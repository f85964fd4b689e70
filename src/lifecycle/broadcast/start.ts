import { type Caller, revealsKey, shownTo } from '../../domain/caller.ts'
import { type LivestreamWithKey, withoutKey } from '../../domain/livestream.ts'
import { type OwnedMeeting, placeOf } from '../../domain/meeting.ts'
import { Failure } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { LivestreamWish, Upstreams } from '../../upstream/provider.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import { type BroadcastEnds, unsettled } from '../operations/broadcast-ends.ts'
import type { Done, Mutation } from '../operations/mutation.ts'
import type { RecheckPermission } from '../operations/recheck-permission.ts'
import type { Reconcile } from '../operations/reconcile.ts'
import type { ActiveReads } from '../reads/active-reads.ts'
import type { Bounded } from '../reads/deadline.ts'
import type { BegunRuns } from '../running/begun-runs.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { SeenRun } from '../running/what-runs.ts'
import { beforeSending } from './before-sending.ts'
import type { MeetingQueue, StartTurn } from './meeting-queue.ts'
import type { SendStart } from './send-start.ts'
import type { StartPermit } from './start-permit.ts'
import type { StopPace } from './stop-pace.ts'
import type { StopRights } from './stop-rights.ts'

export interface Started {
  livestream: LivestreamWithKey
  /** `started` by this call; `joined` another call that was starting it; or it was `live` already. */
  how: 'started' | 'joined' | 'live'
}

export interface StartDeps {
  upstreams: Upstreams
  operations: Pick<Operations, 'openStart' | 'unconfirmedStops'>
  livestreams: Pick<Livestreams, 'observed'>
  queue: MeetingQueue<StartAttempt, unknown>
  recheckPermission: RecheckPermission
  reconcile: Reconcile
  ends: Pick<BroadcastEnds, 'overtake' | 'keepRunning'>
  permit: StartPermit
  auditTrail: AuditTrail
  send: SendStart
  endingRuns: EndingRuns
  begunRuns: Pick<BegunRuns, 'began'>
  pace: StopPace
  rights: StopRights
  changed: ActiveReads['changed']
  clock: Clock
  bounded: Bounded
  deadlineMs: number
}

/** Result of the call that led the others; `sent` when something went upstream, and is on record. */
export interface StartAttempt {
  livestream: LivestreamWithKey
  isNew: boolean
  sent: boolean
}

/**
 * Starts the meeting's livestream once: a call that finds it live, or being started, gets the same livestream and nothing
 * second goes upstream. The caller's connection is not part of it: hanging up aborts nothing.
 * @throws StartUnsettled while an earlier start's outcome is unknown; StillStopping while the run that was stopped is still
 * ending; what a Provider and the audit trail throw
 */
export type StartOnce = (caller: Caller, meeting: OwnedMeeting, wish: LivestreamWish) => Promise<Started>

export function startOnce(deps: StartDeps): StartOnce {
  const { upstreams, operations, livestreams, queue, recheckPermission, reconcile, ends, permit, auditTrail, send } =
    deps
  const { endingRuns, begunRuns, pace, rights, changed, clock, bounded, deadlineMs } = deps

  return async (caller, meeting, wish) => {
    const arrivedAtMs = clock.monotonic()
    let isMine = false
    const inQueue = queue.start(
      placeOf(meeting),
      turn => {
        isMine = true
        return lead(caller, meeting, wish, turn)
      },
      () => clock.monotonic() - arrivedAtMs > deadlineMs
    )
    const { result, led } = await inQueue.catch(error => {
      // The unknown outcome is that of another call, and so is the key or the field that was refused: this one has sent nothing, and its key is free.
      const isAnothers = error instanceof Failure && (error.outcome === 'unknown' || [400, 401].includes(error.status))
      throw !isMine && isAnothers ? unsettled(deadlineMs) : error
    })
    const { livestream, isNew, sent } = result
    if (led && sent) return { livestream, how: isNew ? 'started' : 'live' }
    // Nothing was sent for this call: that is on record too, and answered so again under its key.
    const streamKeyRevealed = revealsKey(shownTo(caller, livestream))
    const answer = { status: 200, data: withoutKey(livestream), livestreamId: livestream.id, streamKeyRevealed }
    await auditTrail.answered(mutationOf(caller, meeting), answer)
    return { livestream, how: led ? 'live' : 'joined' }
  }

  /** Its turn has come: nobody else starts or stops this meeting until it has ended. */
  async function lead(
    caller: Caller,
    meeting: OwnedMeeting,
    wish: LivestreamWish,
    turn: StartTurn
  ): Promise<StartAttempt> {
    if (turn.waited) await beforeSending(() => recheckPermission(caller, meeting, 'start'))
    await beforeSending(() => reconcileEarlier(meeting))
    return bounded(async signal => {
      const wait = { signal, endsAtMs: clock.monotonic() + deadlineMs, stopWanted: turn.stopWanted }
      const active = await beforeSending(() => permit(meeting, wait))
      // The looks took their time.
      await beforeSending(() => recheckPermission(caller, meeting, 'start'))
      if (active !== null) {
        // A stop whose record is late must not end what is answered now: no ordinal will tell that this start came after it.
        await auditTrail.caughtUp()
        await beforeSending(() => overtakeStops(meeting))
        await beforeSending(() => ends.keepRunning(meeting))
        return { livestream: active, isNew: false, sent: false }
      }

      const trail = await auditTrail.begin(mutationOf(caller, meeting))
      pace.started(meeting)
      rights.noteLive(meeting)
      const outcome = await send(meeting, wish, wait, async () => {
        await recheckPermission(caller, meeting, 'start')
        await trail.again()
      })
      if ('error' in outcome) throw await trail.failed(outcome.error, { freesKey: outcome.nothingCame })
      const { livestream, isNobodys, isNew, refused } = outcome
      endingRuns.started(meeting)
      if (isNew && !isNobodys) begunRuns.began(meeting, livestream.id)
      changed(meeting, livestream)
      await trail.done({ ...doneWith(caller, meeting, outcome), refused })
      // The store may be away: then they see that a later start stands in it (`reconcile-stop.ts`).
      await overtakeStops(meeting).catch(() => {})
      return { livestream, isNew, sent: true }
    })
  }

  /** An earlier start whose answer was lost holds the meeting until it is settled. */
  async function reconcileEarlier({ id, upstream }: OwnedMeeting): Promise<void> {
    const earlier = await operations.openStart(id)
    if (earlier === null) return
    // At another vendor account its own call may still be under way: that call says what it came to.
    const isUnderWay = earlier.state === 'sent' && earlier.upstream !== upstream
    if (isUnderWay || !(await reconcile(earlier))) throw unsettled(reconcile.settledInMs(earlier))
  }

  /** The meeting is to be live. A start that was not sent, or refused, has overtaken nothing: then the last word was stop. */
  async function overtakeStops(meeting: OwnedMeeting): Promise<void> {
    for (const stop of await operations.unconfirmedStops(meeting)) await ends.overtake(stop)
  }

  function doneWith(
    caller: Caller,
    meeting: OwnedMeeting,
    { livestream, isNobodys, isNew }: SeenRun & { isNew: boolean }
  ): Done<void> {
    const owner = { id: livestream.id, tenantId: meeting.tenantId, upstream: meeting.upstream, meetingId: meeting.id }
    const shown = withoutKey(livestream)
    return {
      value: undefined,
      status: isNew ? 201 : 200,
      livestreamId: livestream.id,
      data: shown,
      streamKeyRevealed: revealsKey(shownTo(caller, livestream)),
      statements: isNobodys ? [] : livestreams.observed(owner, shown, clock.now())
    }
  }

  function mutationOf(caller: Caller, { id, upstream }: OwnedMeeting): Mutation {
    const vendorAtMs = upstreams.get(upstream)?.vendorNowMs('earliest') ?? null
    return { caller, kind: 'start', upstream, meetingId: id, vendorAtMs }
  }
}
