import type { UnstoredEvents } from '../../audit/unstored.ts'
import { placeOf } from '../../domain/id.ts'
import type { PlacedMeeting } from '../../domain/meeting.ts'
import { isSwitch, type Operation } from '../../domain/operation.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { Misplaced } from '../../store/tables/misplaced.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { type Context, vendorClocks } from '../context.ts'
import type { ShortenRun } from '../ends/change-run.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Sightings } from '../ledger/sightings.ts'
import { type AuditTrail, auditTrailIn } from '../operations/audit-trail.ts'
import { broadcastEnds } from '../operations/broadcast-ends.ts'
import { meetingOf, operationEnds } from '../operations/operation-ends.ts'
import { Ownership } from '../operations/ownership.ts'
import { reconciler } from '../operations/reconcile.ts'
import { ReconcileLoop } from '../operations/reconcile-loop.ts'
import { type ParticipantReconcilerDeps, participantReconciler } from '../operations/reconcile-participant.ts'
import { startReconciler } from '../operations/reconcile-start.ts'
import { stopReconciler } from '../operations/reconcile-stop.ts'
import { switchReconciler } from '../operations/reconcile-switch.ts'
import type { WriteBehind } from '../operations/write-behind.ts'
import { type ActiveReads, activeReads, SharedReads } from '../reads/shared-reads.ts'
import { KnownMeetings } from '../resources/known-meetings.ts'
import { putRight } from '../resources/misplaced.ts'
import type { RememberLivestream } from '../resources/remember.ts'
import { EndingRuns } from '../running/ending-runs.ts'
import { findStarted } from '../running/find-started.ts'
import type { IsComing } from '../running/is-coming.ts'
import { OwnStarts } from '../running/own-actions.ts'
import { lookKnowing, type RecallOthers, recallOthers } from '../running/recall-others.ts'
import { recallStops } from '../running/recall-stops.ts'
import { type ListedRuns, whatRuns } from '../running/what-runs.ts'
import { amongReplicas } from './among-replicas.ts'
import { type Holds, type LiveRoom, type RecheckPermission, startPermit } from './before-sending.ts'
import { MeetingQueue } from './meeting-queue.ts'
import { observedStart, observedStop } from './observed.ts'
import { sendStart } from './send-start.ts'
import { sendStop } from './send-stop.ts'
import { type StartAttempt, type StartOnce, startOnce } from './start.ts'
import { type Stop, type Stopped, stop } from './stop.ts'
import { stopAgain } from './stop-again.ts'
import { StopPace } from './stop-pace.ts'
import { FruitlessStops, StopRights } from './stop-rights.ts'

export interface BroadcastingDeps
  extends Context,
    Pick<ParticipantReconcilerDeps, 'participantSearch' | 'rememberParticipants'> {
  upstreams: Upstreams
  engine: Pick<Engine, 'write'>
  operations: Operations
  livestreams: Livestreams
  meetings: Meetings
  misplaced: Misplaced
  auditEvents: Pick<AuditEvents, 'append'>
  directory: Directory
  holds: Holds
  writeBehind: WriteBehind
  unstored: Pick<UnstoredEvents, 'tell' | 'stored'>
  runs: BroadcastRuns
  liveRoom: LiveRoom
  /** A run that was joined may only be shortened. */
  shortenRun: ShortenRun
  ledger: Ledger
  sightings: Sightings
  rememberLivestream: RememberLivestream
  isComing: IsComing
  recheckPermission: RecheckPermission
  deadlineMs: number
  settleMs: number
  /** How long the record of a mutation may take. */
  writeWithinMs?: number
}

/** Starts and stops of meetings, and what is known of what runs in them. */
export interface Broadcasting {
  start: StartOnce
  stop: Stop
  reads: ActiveReads
  endingRuns: EndingRuns
  ownStarts: OwnStarts
  knownMeetings: KnownMeetings
  auditTrail: AuditTrail
  reconcileLoop: ReconcileLoop
  /** The livestreams' queue, for enabling and disabling. */
  switches: MeetingQueue<never, never>
  /** The meetings' queue. */
  queue: MeetingQueue<StartAttempt, Stopped>
  /** Has an open stop sent at once, and then repeated until it is confirmed. @param sentAtMs on the monotonic clock */
  repeat(stop: Operation, sentAtMs: number): void
  /** Before the first call: remembers what an earlier process did a moment ago. @throws what the store throws */
  recall(): Promise<void>
  /** Remembers what another replica has done last in a meeting. */
  recallOthers: RecallOthers
  /** Waits until nothing is under way, whoever has hung up. */
  idle(): Promise<unknown>
}

/** Puts starts, stops, their reconciliation and reads of what runs together: they share one memory. */
export function broadcasting(deps: BroadcastingDeps): Broadcasting {
  const { upstreams, livestreams, directory, holds, log, clock, bounded, deadlineMs, settleMs } = deps
  const forget = directory.forget.bind(directory)
  const queue = new MeetingQueue<StartAttempt, Stopped>(clock)
  const switches = new MeetingQueue<never, never>(clock)
  const ownStarts = new OwnStarts(clock, settleMs)
  const heardAtMs = new Map<string, number>()
  const pace = new StopPace({ ownStarts, heardAtMs, clock })
  const fruitlessStops = new FruitlessStops({ livestreams, ownStarts, clock })
  const rights = new StopRights({ upstreams, fruitlessStops, clock })

  const reconcileLater = (operation: Operation, sentAtMs: number): void => {
    reconcile.note(operation, sentAtMs)
    reconcileLoop.add(operation)
  }
  const vendorNowMs = vendorClocks(upstreams)
  const endingRuns = new EndingRuns({
    stopAgain: stopAgain({ ...deps, queue, reconcileLater, vendorNowMs }),
    // Nobody's meeting, or another tenant's, is not looked at.
    look: async meeting =>
      (await holds(meeting))
        ? bounded(signal => look(meeting, 'read', signal, { isFollowUp: true }))
        : { livestream: null },
    vendorNowMs,
    log,
    clock,
    settleMs
  })
  const knownMeetings = new KnownMeetings(livestreams, putRight({ ...deps, forget }))
  // Nobody's reads: a look asks for them.
  const listReads = new SharedReads<ListedRuns>({ ...deps, observer: undefined })
  const looking = { ...deps, knownMeetings, endingRuns, ownStarts, heardAtMs, listReads }
  const outdatedBy = (meeting: PlacedMeeting): void => deps.changes.note(placeOf(meeting))
  const recall = recallOthers({ ...deps, endingRuns, ownStarts, outdated: outdatedBy })
  const knowing = { ...deps, recallOthers: recall, endingRuns, ownStarts }
  const reads = activeReads({ ...deps, whatRuns: lookKnowing({ ...knowing, whatRuns: whatRuns(looking) }) })
  const { whatRuns: look, outdated, changed } = reads
  const seeing = { ...deps, whatRuns: look, outdated, changed, knownMeetings, endingRuns, ownStarts, pace, rights }

  const among = amongReplicas({ ...deps, recallOthers: recall, queue })
  const send = sendStop(seeing)
  const ends = operationEnds({ ...deps, forget })
  const ownership = new Ownership(deps.replicas)
  const sending = { deadline: (operation: Operation) => ownership.bound(operation, deps.deadline()) }
  const ofBroadcasts = broadcastEnds({ ...deps, ends, changed, endingRuns, ownStarts })
  const reconcile = reconciler({
    ends,
    ownership,
    tracing: deps.tracing,
    start: startReconciler({ ...deps, ends: ofBroadcasts, findStarted: findStarted(seeing) }),
    stop: stopReconciler({ ...seeing, ...sending, ends: ofBroadcasts, send, queue: among.queue, holds }),
    participant: participantReconciler({ ...deps, ends }),
    switched: switchReconciler({
      ...deps,
      ...sending,
      ends,
      queue: switches,
      ownerOf: directory.livestream,
      knownMeetings
    })
  })
  const reconcileLoop = new ReconcileLoop({
    reconcile,
    mustWait: operation =>
      isSwitch(operation.kind)
        ? switches.isTaken(operation.livestreamId ?? '')
        : operation.kind === 'stop' && queue.isTaken(placeOf(meetingOf(operation))),
    isOthers: operation => ownership.isOthers(operation),
    log,
    clock,
    observer: deps.observer,
    settleMs
  })
  const auditTrail = auditTrailIn({ ...deps, reconcileLater, forget })
  const acting = { ...seeing, queue, among, fruitlessStops, auditTrail, reconcile, reconcileLoop, ends: ofBroadcasts }

  return {
    start: observedStart(
      startOnce({
        ...acting,
        permit: startPermit({ whatRuns: look, endingRuns, clock, deadlineMs }),
        send: sendStart(seeing)
      }),
      deps.observer
    ),
    stop: observedStop(stop({ ...acting, send }), deps.observer),
    reads,
    endingRuns,
    ownStarts,
    knownMeetings,
    auditTrail,
    reconcileLoop,
    switches,
    queue,
    repeat(stop, sentAtMs) {
      reconcileLater(stop, sentAtMs)
      void reconcileLoop.now(stop.id)
    },
    recallOthers: recall,
    recall: () => recallStops({ ...acting, operations: deps.operations }),
    idle: () => Promise.all([queue.idle(), switches.idle()])
  }
}
