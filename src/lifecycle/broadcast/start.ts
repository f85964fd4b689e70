import { randomUUID } from 'node:crypto'
import { type Caller, revealsKey, shownTo } from '../../domain/caller.ts'
import { placeOf } from '../../domain/id.ts'
import { type LivestreamWithKey, withoutKey } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { Failure } from '../../domain/refusals/failures.ts'
import type { Replicas } from '../../domain/replicas.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Statement } from '../../store/engine/engine.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { LivestreamWish, Upstreams } from '../../upstream/provider.ts'
import type { LimitTime } from '../context.ts'
import type { ShortenRun } from '../ends/change-run.ts'
import { type Ledger, placeOfRun } from '../ledger/ledger.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import { type BroadcastEnds, unsettled } from '../operations/broadcast-ends.ts'
import { type Done, type Mutation, outcomeOf } from '../operations/mutation.ts'
import type { Reconcile } from '../operations/reconcile.ts'
import type { ActiveReads } from '../reads/shared-reads.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { OwnStarts } from '../running/own-actions.ts'
import type { AmongReplicas } from './among-replicas.ts'
import { beforeSending, type LiveRoom, type RecheckPermission, type StartPermit } from './before-sending.ts'
import type { MeetingQueue, StartTurn } from './meeting-queue.ts'
import { type LiveOutcome, type RunsOfStartsDeps, runsOfStarts, type SendStart } from './send-start.ts'

export interface Started {
  livestream: LivestreamWithKey
  /** `started` by this call; `joined` another call that was starting it; or it was `alreadyLive`. */
  how: 'started' | 'joined' | 'alreadyLive'
  /** Its run in the ledger; null where that does not know it. */
  runId: string | null
}

export interface StartDeps {
  upstreams: Upstreams
  operations: Pick<Operations, 'openStart' | 'unconfirmedStops'>
  livestreams: Pick<Livestreams, 'observed'>
  queue: MeetingQueue<StartAttempt, unknown>
  among: Pick<AmongReplicas, 'start'>
  recheckPermission: RecheckPermission
  reconcile: Reconcile
  ends: Pick<BroadcastEnds, 'overtake' | 'keepRunning'>
  permit: StartPermit
  auditTrail: AuditTrail
  ledger: Pick<Ledger, 'start' | 'prepare' | 'note'>
  runs: RunsOfStartsDeps['runs']
  liveRoom: LiveRoom
  shortenRun: ShortenRun
  send: SendStart
  endingRuns: Pick<EndingRuns, 'started'>
  ownStarts: Pick<OwnStarts, 'sent' | 'began'>
  changed: ActiveReads['changed']
  clock: Clock
  replicas: Pick<Replicas, 'isMine'>
  limitTime: LimitTime
  deadlineMs: number
}

/** Result of the call that led the others. */
export interface StartAttempt {
  livestream: LivestreamWithKey
  how: 'started' | 'alreadyLive'
  runId: string | null
  /** Something went upstream, and is on record. */
  isOnRecord: boolean
}

/**
 * Starts the meeting's livestream once: a call that finds it live, or being started, gets the same livestream and nothing
 * second goes upstream. The caller's connection is not part of it: hanging up aborts nothing.
 * @throws StartUnsettled while an earlier start's outcome is unknown; StillStopping while the run that was stopped is still
 * ending; LiveLimitReached; InvalidInput where it may not last so long; what a Provider and the audit trail throw
 */
export type StartOnce = (caller: Caller, meeting: OwnedMeeting, wish: StartWish) => Promise<Started>

/** Wishes of a livestream, and how long it may last: the vendor is not told of that. */
export interface StartWish extends LivestreamWish {
  max_duration_seconds?: number
}

export function startOnce(deps: StartDeps): StartOnce {
  const { upstreams, operations, livestreams, queue, recheckPermission, reconcile, ends, permit, auditTrail } = deps
  const { among, replicas } = deps
  const { ledger, liveRoom, shortenRun, send, endingRuns, ownStarts, changed, clock, limitTime, deadlineMs } = deps
  const runsOf = runsOfStarts(deps)

  return async (caller, meeting, wish) => {
    const { max_duration_seconds: seconds } = wish
    liveRoom.expectAllowed(meeting.tenantId, seconds)
    const turn = await enterQueue(meeting)
    if ('joined' in turn) {
      if (seconds !== undefined) await shortenRun(turn.joined.runId, seconds)
      return answer(caller, meeting, { ...turn.joined, how: 'joined' })
    }
    const { isOnRecord, ...started } = await turn.take(startInTurn(caller, meeting, wish, turn))
    if (started.how === 'alreadyLive' && seconds !== undefined) await shortenRun(started.runId, seconds)
    return isOnRecord ? started : answer(caller, meeting, started)
  }

  /** Waits for the meeting's turn. The failure of the start that it joins is that call's own: this one has sent nothing. */
  async function enterQueue(meeting: OwnedMeeting) {
    try {
      return await queue.enterStart(placeOf(meeting), meeting.tenantId, clock.monotonic() + deadlineMs)
    } catch (error) {
      // The unknown outcome is that of another call, and so is the key or the field that was refused. The key of this one is free.
      const isAnothers = error instanceof Failure && (error.outcome === 'unknown' || [400, 401].includes(error.status))
      throw isAnothers ? unsettled(deadlineMs) : error
    }
  }

  /** The way of a start, from top to bottom: nobody else starts or stops this meeting until it has ended. */
  async function startInTurn(
    caller: Caller,
    meeting: OwnedMeeting,
    { max_duration_seconds: seconds, ...wish }: StartWish,
    { waited, stopWanted }: StartTurn<StartAttempt>
  ): Promise<StartAttempt> {
    using held = await among.start(meeting)
    if (waited || held.waited) await beforeSending(recheckPermission(caller, meeting, 'start'))
    await beforeSending(reconcileEarlier(meeting))
    using limit = limitTime()
    held.bound(limit.signal)
    const wait = { signal: limit.signal, endsAtMs: clock.monotonic() + deadlineMs, stopWanted }
    const active = await beforeSending(permit(meeting, wait))
    // The looks took their time.
    await beforeSending(recheckPermission(caller, meeting, 'start'))
    if (active !== null) {
      await keepRunning(meeting)
      return {
        livestream: active,
        how: 'alreadyLive',
        runId: await runsOf.current(meeting, active.id),
        isOnRecord: false
      }
    }

    const [id, runId] = [randomUUID(), randomUUID()]
    const nowMs = clock.now()
    const end = liveRoom.endOf(meeting, seconds, nowMs)
    const place = placeOfRun(meeting, id, nowMs)
    const run = ledger.start({ kind: 'sent', ...place, runId, ...end, isManual: wish.manual_ingest === true })
    const rows = [...liveRoom.conditions(meeting), ...run.rows]
    const trail = await auditTrail
      .begin({ ...mutationOf(caller, meeting), id, runId, rows, unsent: run.unsent })
      .catch(async error => Promise.reject(await liveRoom.refusalOf(error, meeting)))
    run.sent()
    ownStarts.sent(meeting)
    const outcome = await send({ caller, meeting, wish, trail }, wait)
    if ('error' in outcome) {
      const failed = await trail.failed(outcome.error, { freesKey: outcome.nothingCame })
      const isUnknown = !(failed instanceof Failure) || outcomeOf(failed) === 'unknown'
      if (!isUnknown) await ledger.note({ kind: 'refused', ...placeOfRun(meeting, id, clock.now()) })
      throw failed
    }
    const { livestream, how } = outcome
    remember(meeting, outcome)
    const begun = await runsOf.begun({ meeting, operationId: id, plannedId: runId }, outcome)
    try {
      await trail.done({ ...doneWith(caller, meeting, outcome, begun.statements), runId: begun.runId })
    } finally {
      await begun.committed()
    }
    // The store may be away: then the stops see that a later start stands in it (`reconcile-stop.ts`).
    await overtakeStops(meeting).catch(() => {})
    return { livestream, how, runId: begun.runId, isOnRecord: true }
  }

  /** Makes sure that no earlier start whose answer was lost holds the meeting. @throws StartUnsettled */
  async function reconcileEarlier({ id, upstream }: OwnedMeeting): Promise<void> {
    const earlier = await operations.openStart(id)
    if (earlier === null) return
    // At another vendor account, or another replica, its own call may still be under way: that call says what it came to.
    const isElsewhere = earlier.upstream !== upstream || !replicas.isMine(earlier.owner)
    const isUnderWay = earlier.state === 'sent' && isElsewhere
    if (isUnderWay || !(await reconcile(earlier))) throw unsettled(reconcile.settledInMs(earlier))
  }

  /** Lets the run that is live already go on: the stops of before are not repeated. */
  async function keepRunning(meeting: OwnedMeeting): Promise<void> {
    // A stop whose record is late must not end what is answered now: no ordinal will tell that this start came after it.
    await auditTrail.caughtUp()
    await beforeSending(overtakeStops(meeting))
    await beforeSending(ends.keepRunning(meeting))
  }

  /** The meeting is to be live. A start that was not sent, or refused, has overtaken nothing: then the last word was stop. */
  async function overtakeStops(meeting: OwnedMeeting): Promise<void> {
    // A stop that names its run ends with that, whoever has joined it.
    const stops = (await operations.unconfirmedStops(meeting)).filter(({ cause }) => cause === null)
    for (const stop of stops) await ends.overtake(stop)
  }

  function remember(meeting: OwnedMeeting, { livestream, isNobodys, how }: LiveOutcome): void {
    endingRuns.started(meeting)
    if (how === 'started' && !isNobodys) ownStarts.began(meeting, livestream.id)
    changed(meeting, livestream)
  }

  /** Nothing was sent for this call: that is on record too, and answered so again under its key. */
  async function answer(caller: Caller, meeting: OwnedMeeting, started: Started): Promise<Started> {
    const { livestream, runId } = started
    const streamKeyRevealed = revealsKey(shownTo(caller, livestream))
    const done = { status: 200, data: withoutKey(livestream), livestreamId: livestream.id, streamKeyRevealed }
    await auditTrail.answered({ ...mutationOf(caller, meeting), runId }, done)
    return started
  }

  function doneWith(
    caller: Caller,
    { id: meetingId, tenantId, upstream }: OwnedMeeting,
    { livestream, isNobodys, how, refused }: LiveOutcome,
    rows: Statement[]
  ): Done<void> {
    const owner = { id: livestream.id, tenantId, upstream, meetingId }
    const shown = withoutKey(livestream)
    return {
      value: undefined,
      status: how === 'started' ? 201 : 200,
      livestreamId: livestream.id,
      data: shown,
      streamKeyRevealed: revealsKey(shownTo(caller, livestream)),
      statements: [...(isNobodys ? [] : livestreams.observed(owner, shown, clock.now())), ...rows],
      refused
    }
  }

  function mutationOf(caller: Caller, { id, upstream }: OwnedMeeting): Mutation {
    const vendorAtMs = upstreams.get(upstream)?.vendorNowMs('earliest') ?? null
    return { caller, kind: 'start', upstream, meetingId: id, vendorAtMs }
  }
}
