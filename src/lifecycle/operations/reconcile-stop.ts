import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import type { Livestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Operation } from '../../domain/operation.ts'
import { MeetingNotFound, UpstreamRefused } from '../../domain/refusals/failures.ts'
import type { Run } from '../../domain/runs/run.ts'
import { isOpenRun } from '../../domain/runs/run-moves.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { Priority, Upstreams } from '../../upstream/provider.ts'
import type { MeetingQueue } from '../broadcast/meeting-queue.ts'
import type { SendStop, StopOutcome } from '../broadcast/send-stop.ts'
import type { StopPace } from '../broadcast/stop-pace.ts'
import type { StopRights } from '../broadcast/stop-rights.ts'
import { providerOf } from '../context.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Sightings } from '../ledger/sightings.ts'
import type { ActiveReads } from '../reads/shared-reads.ts'
import { beganAfter } from '../running/find-started.ts'
import { goesOnBehind, showsRun, taken } from '../running/named-run.ts'
import type { OwnStarts } from '../running/own-actions.ts'
import type { Sight, WhatRuns } from '../running/sight.ts'
import { type BroadcastEnds, stopEnd } from './broadcast-ends.ts'
import { meetingOf } from './operation-ends.ts'

export interface ReconcileStopDeps {
  ends: BroadcastEnds
  operations: Pick<Operations, 'openStartAt' | 'hadOpenStart' | 'laterStart' | 'unconfirmedStops'>
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastOfMeeting'>
  runs: Pick<BroadcastRuns, 'get'>
  ownStarts: Pick<OwnStarts, 'believed'>
  whatRuns: WhatRuns
  send: SendStop
  pace: StopPace
  rights: StopRights
  changed: ActiveReads['changed']
  ledger: Pick<Ledger, 'prepare' | 'note'>
  sightings: Pick<Sightings, 'seen'>
  /** Whether the meeting is still the tenant's. */
  holds(meeting: OwnedMeeting): Promise<boolean>
  queue: Pick<MeetingQueue<unknown, unknown>, 'inTurn'>
  clock: Clock
  deadline(stop: Operation): AbortSignal
}

/** The part of `Reconcile` that is about stops. */
export interface ReconcileStop {
  /** One look and, where it is needed, one more try. True when the stop is settled by it, or was before. @throws what a Provider throws */
  (stop: Operation): Promise<boolean>
  note(stop: Operation, sentAtMs: number): void
}

/** Two looks so far apart that show nothing: then nothing is left to stop. */
const looksApartMs = 5_000
const rememberedLooks = 10_000

/**
 * Repeats a stop until the vendor has confirmed one, or two looks show nothing live, and no open start can begin anything any
 * more. The last word counts: a later start ends the stop, and a run that has begun after it is not meant by it. A stop of the gateway's
 * names its run: it ends with that run, and is sent to no other.
 */
export function stopReconciler(deps: ReconcileStopDeps): ReconcileStop {
  const { ends, operations, livestreams, runs, upstreams, whatRuns, send, pace, rights, changed, holds, queue } = deps
  const { ownStarts, ledger, clock, deadline } = deps
  /** When the first look, after the last attempt, showed nothing; on the monotonic clock. Forgotten at a restart: then two more. */
  const nothingAtMs = new LRUCache<string, number>(upTo(rememberedLooks))
  /** When they were sent, on the monotonic clock. Forgotten at a restart: then the wall clock tells. */
  const sentAtMs = new WeakMap<Operation, number>()

  async function reconcile(stop: Operation): Promise<boolean> {
    // The look that the caller was answered after counts; there is nothing to do until the second one.
    if (isTooEarly(stop)) return false
    const meeting = meetingOf(stop)
    return queue.inTurn(placeOf(meeting), () => repeat(stop, meeting))
  }
  reconcile.note = (stop: Operation, atMs: number): void => {
    sentAtMs.set(stop, atMs)
    if (stop.answer !== null) nothingAtMs.set(stop.id, atMs)
  }
  return reconcile

  /** Repeats it, unless it is not to be sent any more, or not by this operation, or not yet. */
  async function repeat(stop: Operation, meeting: OwnedMeeting): Promise<boolean> {
    // While it waited for its turn somebody may have started again.
    if (await ends.isSettled(stop)) return settled(stop)
    const named = stop.cause === null || stop.runId === null ? null : await runs.get(stop.runId)
    // An operator means what is live: the start that was under way may have found it, and have begun nothing.
    const isNothing = named !== null && !isOpenRun(named) && named.livestreamId === null
    const run = isNothing && isOperators(stop) ? null : named
    if (run !== null && !isOpenRun(run)) return settled(stop, ends.end(stop, { state: 'done' }))
    const later = await operations.laterStart(stop)
    // A later start may have found the named run, and changes nothing then.
    if (later === 'done' && run === null) return settled(stop, ends.overtake(stop))
    // Somebody wants the meeting live by now, as far as that start comes to something: if not, the last word was stop.
    if (later === 'open') return false
    if (!(await holds(meeting))) {
      if (run !== null) await ledger.note(taken(run, clock.now()))
      const message = 'The meeting is no longer the one of this tenant'
      return settled(stop, ends.giveUp(stop, new MeetingNotFound({ outcome: 'failed', message })))
    }
    // The last of several is repeated, and speaks for all: one without a cause, as a caller's is, before one that has one.
    const stops = await operations.unconfirmedStops(meeting)
    const speaker = stops.findLast(({ cause }) => cause === null) ?? stops.at(-1)
    if (speaker !== undefined && speaker.id !== stop.id) return false
    // Asked before the stop goes out: a start that is settled meanwhile may have begun something after it.
    const hasOpenStart = (await operations.openStartAt(meeting)) !== null
    if (pace.waitMs(meeting) > 0) return false
    pace.sent(meeting)
    return attempt(stop, meeting, run, hasOpenStart)
  }

  /** Looks, and sends it once more where the look does not settle it. While a start is open nothing does. */
  async function attempt(
    stop: Operation,
    meeting: OwnedMeeting,
    run: Run | null,
    hasOpenStart: boolean
  ): Promise<boolean> {
    const priority = hasOpenStart ? rights.priorityDuringStart(meeting) : await rights.priorityOf(meeting)
    const signal = deadline(stop)
    const sight = await look(meeting, priority, signal)
    // Nothing tells whether it is the run that was stopped: that proves no end.
    if (sight.isUnclear) {
      nothingAtMs.delete(stop.id)
      return false
    }
    if (shows(sight)) {
      const isMeant =
        run === null
          ? !(await isNewer(sight.livestream, stop, meeting, signal))
          : await showsRun(run, sight.livestream, providerOf(upstreams, meeting, 'stop'), signal, deps)
      if (isMeant === 'unclear') return false
      if (!isMeant) return run === null ? settled(stop, ends.overtake(stop)) : hidden(stop, run, sight.livestream)
      if (stop.cause === 'never_live' && sight.livestream.status === 'LIVE') {
        const message = 'The run has gone on air'
        return settled(stop, ends.giveUp(stop, new UpstreamRefused({ outcome: 'failed', message })))
      }
      nothingAtMs.delete(stop.id)
    } else if (!hasOpenStart) {
      // The second look that shows nothing.
      if (nothingAtMs.has(stop.id)) return confirm(stop, meeting)
      // Its caller was answered: it is only watched.
      if (stop.answer !== null) return nothingYet(stop)
      // Nothing that is hidden is known to be the run that it names.
      if (run !== null) return nothingYet(stop)
    }
    // Also when nothing is shown: a vendor may hide a run that is not on air yet. But then its failure says nothing.
    const sending = send(meeting, priority, signal)
    const outcome = await (shows(sight) ? sending : sending.catch(() => null))
    if (hasOpenStart) return false
    if (outcome !== null && !outcome.isWatched) return confirm(stop, meeting, outcome.confirmed)
    if (outcome === null && shows(await look(meeting, priority, signal))) return false
    return nothingYet(stop)
  }

  /** Another run is shown. A stop would end that one. */
  async function hidden(stop: Operation, run: Run, shown: Livestream): Promise<boolean> {
    if (!(await goesOnBehind(run, shown, runs))) return settled(stop, ends.end(stop, { state: 'done' }))
    if (!isOperators(stop)) return false
    const message = 'Another livestream of its meeting is live, and a stop would end that one'
    return settled(stop, ends.giveUp(stop, new UpstreamRefused({ outcome: 'failed', message })))
  }

  /** Looks; a look that fails is counted, like the stops themselves. */
  async function look(meeting: OwnedMeeting, priority: Priority, signal: AbortSignal): Promise<Sight> {
    let calls = 0
    const onSent = (): void => void calls++
    try {
      return await whatRuns(meeting, priority, signal, { onSent })
    } catch (error) {
      rights.noteFailed(meeting, calls)
      throw error
    }
  }

  /** One look shows nothing: another one must agree. */
  function nothingYet(stop: Operation): false {
    nothingAtMs.set(stop.id, clock.monotonic())
    return false
  }

  /** @param confirmed by the vendor; else looks have shown that nothing is live */
  async function confirm(
    stop: Operation,
    meeting: OwnedMeeting,
    confirmed?: StopOutcome['confirmed']
  ): Promise<boolean> {
    pace.takenUp(meeting)
    ownStarts.believed(meeting)
    changed(meeting, null)
    // Before the others: of them all only this one was sent, and may be confirmed.
    const ended = await livestreams.lastOfMeeting(meeting).catch(() => null)
    const { id: meetingId, tenantId, upstream } = meeting
    const news = { kind: 'stopped', tenantId, upstream, meetingId, livestreamId: ended?.id ?? null } as const
    const stopped = await ledger.prepare({ ...news, endedBy: stop.cause ?? 'tenant', atMs: clock.now() })
    const isEnded = await ends.end(stop, { ...stopEnd(stop), confirmed }, { ended, rows: stopped.statements })
    await stopped.committed()
    await ends.confirmStops(meeting)
    return settled(stop, isEnded)
  }

  /** True when what is live now has begun after the stop, by a browser perhaps: nobody has said that this one is to end. */
  async function isNewer(
    active: Livestream,
    stop: Operation,
    meeting: OwnedMeeting,
    signal: AbortSignal
  ): Promise<boolean> {
    // A start that was open when the stop was sent is what the stop was for, however late its run began.
    if (await operations.hadOpenStart(stop)) return false
    const provider = providerOf(upstreams, meeting, 'stop')
    const nowMs = upstreams.get(meeting.upstream)?.vendorNowMs('latest') ?? null
    const afterMs = nowMs === null ? null : sentByVendorClock(stop, nowMs)
    // Without a clock to compare them with, the vendor's times prove nothing.
    return nowMs !== null && afterMs !== null && beganAfter(provider, active.id, { afterMs, nowMs }, signal)
  }

  /** When the stop was sent, by the vendor's clock, at the latest: as it told then, and as it tells now. Null when it never did. */
  function sentByVendorClock(stop: Operation, vendorNowMs: number): number | null {
    const knownAtMs = sentAtMs.get(stop)
    const agoMs = knownAtMs === undefined ? clock.now() - stop.sentAtMs : clock.monotonic() - knownAtMs
    // Our own clock may have been set back since.
    const times = [stop.vendorAtMs, agoMs < 0 ? null : vendorNowMs - agoMs].filter(time => time !== null)
    return times.length === 0 ? null : Math.max(...times)
  }

  function isTooEarly({ id }: Operation): boolean {
    return clock.monotonic() - (nothingAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < looksApartMs
  }

  /** A run that was stopped and is still shown has nothing left to stop. */
  function shows(sight: Sight): sight is Sight & { livestream: Livestream } {
    return sight.livestream !== null && !sight.isEnding
  }

  async function settled({ id }: Operation, how: Promise<boolean> | boolean = true): Promise<boolean> {
    const isEnded = await how
    if (isEnded) nothingAtMs.delete(id)
    return isEnded
  }
}

function isOperators({ cause }: Operation): boolean {
  return cause === 'operator' || cause === 'suspended'
}
