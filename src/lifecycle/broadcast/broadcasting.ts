import type { UnstoredEvents } from '../../audit/unstored.ts'
import { placeOf } from '../../domain/meeting.ts'
import { isSwitch, type Operation } from '../../domain/operation.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { AuditEvents } from '../../store/tables/audit-events.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { Misplaced } from '../../store/tables/misplaced.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { type Recorded, recorder } from '../operations/audit-trail.ts'
import type { Holds } from '../operations/holds.ts'
import type { StillAllowed } from '../operations/recheck-permission.ts'
import { meetingOf, operationEnds, settler } from '../operations/reconcile.ts'
import { OpenOperations } from '../operations/reconcile-loop.ts'
import { startSettler } from '../operations/reconcile-start.ts'
import { stopSettler } from '../operations/reconcile-stop.ts'
import { switchSettler } from '../operations/reconcile-switch.ts'
import type { Repairs } from '../operations/write-behind.ts'
import { type ActiveReads, activeReads } from '../reads/active-reads.ts'
import type { Bounded, Deadline } from '../reads/deadline.ts'
import { type Changes, SharedReads } from '../reads/shared-reads.ts'
import { KnownMeetings } from '../resources/known-meetings.ts'
import { putRight } from '../resources/misplaced.ts'
import type { Observe } from '../resources/remember-livestream.ts'
import { BegunRuns } from '../running/begun-runs.ts'
import { EndingRuns } from '../running/ending-runs.ts'
import { findStarted } from '../running/find-started.ts'
import type { IsComing } from '../running/is-coming.ts'
import { recall } from '../running/recall-stops.ts'
import { type ListedRuns, whatRuns } from '../running/what-runs.ts'
import { MeetingQueue } from './meeting-queue.ts'
import { sendStart } from './send-start.ts'
import { sendStop } from './send-stop.ts'
import { type StartAttempt, type StartOnce, startOnce } from './start.ts'
import { startPermit } from './start-permit.ts'
import { type Stop, type Stopped, stop } from './stop.ts'
import { stopAgain } from './stop-again.ts'
import { StopPace } from './stop-pace.ts'
import { StopRights } from './stop-rights.ts'

export interface BroadcastingDeps {
  upstreams: Upstreams
  engine: Pick<Engine, 'write'>
  operations: Operations
  livestreams: Livestreams
  meetings: Meetings
  misplaced: Misplaced
  auditEvents: Pick<AuditEvents, 'append'>
  directory: Directory
  holds: Holds
  repairs: Repairs
  unstored: Pick<UnstoredEvents, 'tell' | 'stored'>
  observe: Observe
  isComing: IsComing
  stillAllowed: StillAllowed
  changes: Changes
  log: Record<'info' | 'warn' | 'error', (facts: object, message: string) => void>
  clock: Clock
  deadline: Deadline
  bounded: Bounded
  deadlineMs: number
  settleMs: number
  readTtlMs: number
  /** How long the record of a mutation may take. */
  writeWithinMs?: number
}

/** Starts and stops of meetings, and what is known of what runs in them. */
export interface Broadcasting {
  start: StartOnce
  stop: Stop
  reads: ActiveReads
  endingRuns: EndingRuns
  begunRuns: BegunRuns
  knownMeetings: KnownMeetings
  recorded: Recorded
  openOperations: OpenOperations
  /** The livestreams' queue, for enabling and disabling. */
  switches: MeetingQueue<never, never>
  /** Before the first call: remembers what an earlier process did a moment ago. @throws what the store throws */
  recall(): Promise<void>
  /** Waits until nothing is under way, whoever has hung up. */
  idle(): Promise<unknown>
}

/** Puts starts, stops, settling and reads of what runs together: they share one memory. */
export function broadcasting(deps: BroadcastingDeps): Broadcasting {
  const { upstreams, livestreams, directory, holds, changes, log, clock, bounded, deadlineMs, settleMs } = deps
  const forget = (id: string): void => directory.forget(id)
  const queue = new MeetingQueue<StartAttempt, Stopped>()
  const switches = new MeetingQueue<never, never>()
  const pace = new StopPace(clock)
  const begunRuns = new BegunRuns(clock, settleMs)
  const rights = new StopRights({ upstreams, livestreams, clock })

  const settleLater = (operation: Operation, sentAtMs: number): void => {
    if (!isSwitch(operation.kind)) settle.note(operation, sentAtMs)
    openOperations.add(operation)
  }
  const vendorNowMs = (upstream: string, bound: 'earliest' | 'latest'): number | null =>
    upstreams.get(upstream)?.vendorNowMs(bound) ?? null
  const endingRuns = new EndingRuns({
    stopAgain: stopAgain({ ...deps, queue, settleLater, vendorNowMs }),
    // Nobody's meeting, or another tenant's, is not looked at.
    look: async meeting =>
      (await holds(meeting)) ? bounded(signal => look(meeting, 'read', signal, true)) : { livestream: null },
    vendorNowMs,
    log,
    clock,
    settleMs
  })
  const knownMeetings = new KnownMeetings(livestreams, putRight({ ...deps, forget }))
  const listReads = new SharedReads<ListedRuns>({ ttlMs: deps.readTtlMs, changes, bounded, clock })
  const looking = { ...deps, knownMeetings, endingRuns, begunRuns, pace, listReads }
  const reads = activeReads({ ...deps, whatRuns: whatRuns(looking) })
  const { whatRuns: look, outdated, changed } = reads
  const seeing = { ...deps, whatRuns: look, outdated, changed, knownMeetings, endingRuns, begunRuns, pace, rights }

  const send = sendStop(seeing)
  const ends = operationEnds({ ...deps, changed, endingRuns, begunRuns, forget })
  const settle = settler({
    ends,
    start: startSettler({ ...deps, ends, findStarted: findStarted(seeing) }),
    stop: stopSettler({
      ...seeing,
      ends,
      send,
      queue,
      holds
    })
  })
  const settleSwitch = switchSettler({ ...deps, queue: switches, ownerOf: directory.livestream, knownMeetings, forget })
  const openOperations = new OpenOperations({
    settle: operation => (isSwitch(operation.kind) ? settleSwitch(operation) : settle(operation)),
    mustWait: operation =>
      isSwitch(operation.kind)
        ? switches.isTaken(operation.livestreamId ?? '')
        : operation.kind === 'stop' && queue.isTaken(placeOf(meetingOf(operation))),
    log,
    clock,
    settleMs
  })
  const repair = deps.repairs.add.bind(deps.repairs)
  const late = deps.repairs.behind.bind(deps.repairs)
  const caughtUp = deps.repairs.caughtUp.bind(deps.repairs)
  const recorded = recorder({ ...deps, repair, late, caughtUp, settleLater, forget })
  const acting = { ...seeing, queue, recorded, settle }

  return {
    start: startOnce({
      ...acting,
      permit: startPermit({ whatRuns: look, endingRuns, clock, deadlineMs }),
      send: sendStart(seeing)
    }),
    stop: stop({ ...acting, send }),
    reads,
    endingRuns,
    begunRuns,
    knownMeetings,
    recorded,
    openOperations,
    switches,
    recall: () => recall({ ...acting, operations: deps.operations }),
    idle: () => Promise.all([queue.idle(), switches.idle()])
  }
}
