/** The way of a start to the vendor, and the run that it has begun. */
import type { Caller } from '../../domain/caller.ts'
import type { LivestreamWithKey } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import {
  Failure,
  type FailureClass,
  InvalidInput,
  isOneOf,
  LiveElsewhere,
  LivestreamDisabled,
  MeetingInactive,
  UpstreamRefused,
  withOutcome
} from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import { isDefiniteRefusal, type LivestreamWish, type Upstreams } from '../../upstream/provider.ts'
import { providerOf, upstreamOf } from '../context.ts'
import { type Ledger, placeOfRun } from '../ledger/ledger.ts'
import type { Prepared } from '../ledger/prepared.ts'
import type { Trail } from '../operations/audit-trail.ts'
import type { ActiveReads } from '../reads/shared-reads.ts'
import type { KnownMeetings } from '../resources/known-meetings.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { SeenRun, Sight, WhatRuns } from '../running/sight.ts'
import { pauseFor, type RecheckPermission, type StartWait, stillStopping } from './before-sending.ts'

/** Outcome of a start: the run that it began, or the one that was live already. `nothingCame`: a look has shown that nothing was begun. */
export type StartOutcome = LiveOutcome | { error: unknown; nothingCame: boolean }

export interface LiveOutcome extends SeenRun {
  how: 'started' | 'alreadyLive'
  /** The vendor's refusal, if it refused. */
  refused?: Failure
}

/** A refusal that no livestream explains, and what a look has shown after it. */
interface Refused {
  refusal: Failure
  sight: Sight
}

/** @param trail begun for this start: a second sending stands in it before its first byte */
export type SendStart = (start: RecordedStart, wait: StartWait) => Promise<StartOutcome>

/** A start whose record stands. */
export interface RecordedStart {
  caller: Caller
  meeting: OwnedMeeting
  wish: LivestreamWish
  trail: Pick<Trail, 'again'>
}

export interface SendStartDeps {
  recheckPermission: RecheckPermission
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastOfMeeting'>
  knownMeetings: KnownMeetings
  whatRuns: WhatRuns
  outdated: ActiveReads['outdated']
  endingRuns: EndingRuns
  clock: Pick<Clock, 'monotonic'>
}

/** A vendor that is still stopping the last run gets so much time before it is asked again. */
const secondTryAfterMs = 1_500

/**
 * Sends a start whose record stands, and finds out what came of it. It is sent a second time in one case alone. Then the vendor
 * has refused it in its own words, and a fresh look shows nothing live, or the run that is ending.
 */
export function sendStart(deps: SendStartDeps): SendStart {
  const { recheckPermission, upstreams, livestreams, knownMeetings, whatRuns, outdated, endingRuns, clock } = deps

  return async ({ caller, meeting, wish, trail }, wait) => {
    const first = await attempt(meeting, wish, wait)
    if (!('refusal' in first)) return first
    const mayBeTriedAgain = isDefiniteRefusal(first.refusal) && (await pauseFor(secondTryAfterMs, wait, clock))
    if (!mayBeTriedAgain) return explained(first, meeting, wait)
    try {
      await recheckPermission(caller, meeting, 'start')
      await trail.again()
    } catch (error) {
      return { error: error instanceof Failure ? withOutcome(error, 'failed') : first.refusal, nothingCame: true }
    }
    const second = await attempt(meeting, wish, wait)
    return 'refusal' in second ? explained(second, meeting, wait) : second
  }

  /** Sends it once, and looks when the vendor has said no. */
  async function attempt(
    meeting: OwnedMeeting,
    wish: LivestreamWish,
    wait: StartWait
  ): Promise<StartOutcome | Refused> {
    const answer = await send(meeting, wish, wait)
    return 'refusal' in answer ? lookAfter(answer.refusal, meeting, wait) : answer
  }

  /** Sends it once. A `refusal` is one that a look may explain. */
  async function send(
    meeting: OwnedMeeting,
    wish: LivestreamWish,
    { signal }: StartWait
  ): Promise<StartOutcome | { refusal: Failure }> {
    outdated(meeting)
    try {
      const provider = providerOf(upstreams, meeting, 'mutation')
      const started = await provider.start(meeting.id, wish, signal)
      // Throws when it is known as another meeting's. What nobody knows yet is not proved by this answer.
      await knownMeetings.has(meeting, started.id, provider)
      // The store has been asked by now.
      const livestream = knownMeetings.asRemembered(started)
      knownMeetings.note(meeting, livestream.id, false)
      return { livestream: { ...livestream, ...named(livestream, wish) }, isNobodys: false, how: 'started' }
    } catch (error) {
      if (!(error instanceof Failure)) return { error, nothingCame: false }
      if (mayBeExplained(error)) return { refusal: error }
      const lost = error.outcome === undefined ? withOutcome(error, 'unknown') : error
      if (lost.outcome !== 'unknown' || signal.aborted) return { error: lost, nothingCame: false }
      const sight = await whatRuns(meeting, 'mutation', signal).catch(() => null)
      // Nothing was live when we sent the start, so whatever is live now came from it.
      const began = sight && shownIn(sight)
      return began ? { ...began, how: 'started' } : { error: lost, nothingCame: false }
    } finally {
      outdated(meeting)
    }
  }

  /** Looks after a refusal: a browser, perhaps, was faster than our look, and the meeting is live. */
  async function lookAfter(
    refusal: Failure,
    meeting: OwnedMeeting,
    { signal }: StartWait
  ): Promise<StartOutcome | Refused> {
    try {
      const sight = await whatRuns(meeting, 'mutation', signal)
      const live = shownIn(sight)
      if (live === null) return { refusal, sight }
      if (isOneOf(refusal, LiveElsewhere)) upstreamOf(upstreams, meeting, 'mutation').habits.noteSecondStartRefused()
      return { ...live, how: 'alreadyLive', refused: refusal }
    } catch (error) {
      // The vendor has refused it: whatever is live, this start did not begin it, and its key may be used for the next try.
      return error instanceof Failure
        ? { error: withOutcome(error, 'failed'), nothingCame: true }
        : { error, nothingCame: false }
    }
  }

  /** Says why it was refused in our own words, as far as it can be known. */
  async function explained(
    { refusal, sight }: Refused,
    meeting: OwnedMeeting,
    { signal }: StartWait
  ): Promise<StartOutcome> {
    if (isDefiniteRefusal(refusal) && (sight.isEnding || endingRuns.isRecent(meeting))) {
      return { error: stillStopping(refusal), nothingCame: true }
    }
    const reason = refusal.upstreamStatus === 403 ? await whyForbidden(meeting, signal).catch(() => null) : null
    if (reason === null) return { error: refusal, nothingCame: true }
    const { upstreamStatus, upstreamReason } = refusal
    return { error: new reason({ outcome: 'failed', upstreamStatus, upstreamReason }), nothingCame: true }
  }

  /** The meeting or its livestream may not be started: null when the vendor shows neither. */
  async function whyForbidden(meeting: OwnedMeeting, signal: AbortSignal): Promise<FailureClass | null> {
    const provider = providerOf(upstreams, meeting, 'mutation')
    const found = await provider.findMeeting(meeting.id, signal)
    if (found?.status === 'INACTIVE') return MeetingInactive
    const last = await livestreams.lastOfMeeting(meeting)
    const lastNow = last && (await provider.findLivestream(last.id, { pageNo: 1, perPage: 1 }, signal))
    return lastNow?.livestream.disabled ? LivestreamDisabled : null
  }
}

/** The run that a look shows as live and not as ending; null when there is none. */
function shownIn({ livestream, isNobodys, isEnding }: Sight): SeenRun | null {
  return livestream === null || isEnding ? null : { livestream, isNobodys }
}

/** The vendor has said no, and a look may tell why; a fault in the caller's own fields it would not explain. */
function mayBeExplained(error: Failure): boolean {
  if (isOneOf(error, InvalidInput) || error.outcome === 'unknown') return false
  return error.status < 500 || isOneOf(error, UpstreamRefused)
}

/** The answer to a start names no livestream (contract#start-answer), but the caller knows what it asked for. */
function named(livestream: LivestreamWithKey, wish: LivestreamWish): { name?: string | null } {
  return livestream.name === undefined && wish.name !== undefined ? { name: wish.name } : {}
}

/** The start that has come to something: the id of its operation, and that of the run that it was to begin. */
interface OwnStart {
  meeting: OwnedMeeting
  operationId: string
  plannedId: string
}

/** Runs of starts in the ledger. */
export interface RunsOfStarts {
  /** The run that this start has begun, or that was live already, and the moves that belong to the outcome. */
  begun(
    start: OwnStart,
    outcome: LiveOutcome
  ): Promise<Pick<Prepared, 'statements' | 'committed'> & { runId: string | null }>
  /** The run that goes on; null where the ledger does not know it. */
  current(meeting: OwnedMeeting, livestreamId: string): Promise<string | null>
}

export interface RunsOfStartsDeps {
  ledger: Pick<Ledger, 'prepare'>
  runs: Pick<BroadcastRuns, 'lastOf'>
  clock: Pick<Clock, 'now'>
}

export function runsOfStarts({ ledger, runs, clock }: RunsOfStartsDeps): RunsOfStarts {
  async function current({ upstream, tenantId }: OwnedMeeting, livestreamId: string): Promise<string | null> {
    const run = await runs.lastOf(upstream, livestreamId).catch(() => null)
    return run !== null && run.endedAtMs === null && run.tenantId === tenantId ? run.id : null
  }

  return {
    current,

    async begun({ meeting, operationId, plannedId }, { livestream, how }) {
      const { id: livestreamId, status, playback_url: playbackUrl = null } = livestream
      const place = placeOfRun(meeting, operationId, clock.now())
      if (how === 'started') {
        const begun = await ledger.prepare({ kind: 'started', ...place, livestreamId, status, playbackUrl })
        return { ...begun, runId: begun.run?.id ?? plannedId }
      }
      // The look that has shown it may have given it the row of this start.
      const left = await ledger.prepare({ kind: 'refused', ...place })
      const isItsOwn = left.run?.livestreamId === livestreamId
      return { ...left, runId: isItsOwn ? plannedId : await current(meeting, livestreamId) }
    }
  }
}
