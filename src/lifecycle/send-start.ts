import type { Clock } from '../domain/clock.ts'
import {
  Failure,
  InvalidInput,
  isOneOf,
  LiveElsewhere,
  LivestreamDisabled,
  MeetingInactive,
  UpstreamRefused,
  withOutcome
} from '../domain/failures.ts'
import type { LivestreamWithKey } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Livestreams } from '../store/livestreams.ts'
import { isDefiniteRefusal, type LivestreamWish, type Upstreams } from '../upstream/provider.ts'
import { type Sight, upstreamOf, type WhatRuns } from './active.ts'
import type { ActiveReads } from './active-reads.ts'
import type { EndingRuns } from './ending-runs.ts'
import type { KnownMeetings } from './known-meetings.ts'
import { pauseFor, type StartWait, stillStopping } from './start-permit.ts'

/** What came of a start. `isNew`: the livestream was begun by it. `nothingCame`: a look has shown that nothing was. */
export type StartOutcome =
  | { livestream: LivestreamWithKey; isNew: boolean; refused?: Failure }
  | { error: unknown; nothingCame: boolean }

/** @param again makes the second sending durable; it throws when there must be none */
export type SendStart = (
  meeting: OwnedMeeting,
  wish: LivestreamWish,
  wait: StartWait,
  again: () => Promise<void>
) => Promise<StartOutcome>

export interface SendStartDeps {
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
 * Sends a start whose record stands, and finds out what came of it. It is sent a second time in one case alone: the vendor has
 * refused it in its own words, and a fresh look shows nothing live, or the run that is ending.
 */
export function sendStart(deps: SendStartDeps): SendStart {
  const { upstreams, livestreams, knownMeetings, whatRuns, outdated, endingRuns, clock } = deps

  return async (meeting, wish, wait, again) => {
    const first = await send(meeting, wish, wait)
    if (!('refused' in first)) return first
    const look = await lookAfter(first.refused, meeting, wait)
    if ('livestream' in look || 'error' in look) return look
    const mayBeTriedAgain = isDefiniteRefusal(first.refused) && (await pauseFor(secondTryAfterMs, wait, clock))
    if (!mayBeTriedAgain) return refusedWith(first.refused, look.nothing, meeting, wait)
    try {
      await again()
    } catch (error) {
      return { error: error instanceof Failure ? withOutcome(error, 'failed') : first.refused, nothingCame: true }
    }
    const second = await send(meeting, wish, wait)
    if (!('refused' in second)) return second
    const lastLook = await lookAfter(second.refused, meeting, wait)
    if ('livestream' in lastLook || 'error' in lastLook) return lastLook
    return refusedWith(second.refused, lastLook.nothing, meeting, wait)
  }

  /** Sends it once. `refused`: the vendor has said no, and a look may tell why. */
  async function send(
    meeting: OwnedMeeting,
    wish: LivestreamWish,
    { signal }: StartWait
  ): Promise<StartOutcome | { refused: Failure }> {
    outdated(meeting)
    try {
      const provider = upstreamOf(upstreams, meeting, 'mutation').on({ tenantId: meeting.tenantId, lane: 'mutation' })
      const livestream = await provider.start(meeting.id, wish, signal)
      await knownMeetings.has(meeting, livestream.id)
      knownMeetings.note(meeting, livestream.id)
      return { livestream: { ...livestream, ...named(livestream, wish) }, isNew: true }
    } catch (error) {
      if (!(error instanceof Failure)) return { error, nothingCame: false }
      if (isRefusal(error)) return { refused: error }
      const lost = error.outcome === undefined ? withOutcome(error, 'unknown') : error
      if (lost.outcome !== 'unknown' || signal.aborted) return { error: lost, nothingCame: false }
      const sight = await whatRuns(meeting, 'mutation', signal).catch(() => null)
      // Nothing was live when it was sent: what is live now was begun by it.
      if (sight?.livestream != null && !sight.isEnding) return { livestream: sight.livestream, isNew: true }
      return { error: lost, nothingCame: false }
    } finally {
      outdated(meeting)
    }
  }

  /** Somebody else, a browser perhaps, may have been faster than our look: then the meeting is live. */
  async function lookAfter(
    refused: Failure,
    meeting: OwnedMeeting,
    { signal }: StartWait
  ): Promise<StartOutcome | { nothing: Sight }> {
    try {
      const sight = await whatRuns(meeting, 'mutation', signal)
      const { livestream, isEnding } = sight
      const isSecond = isOneOf(refused, LiveElsewhere) && livestream !== null
      if (isSecond) upstreamOf(upstreams, meeting, 'mutation').habits.noteSecondStartRefused()
      return livestream !== null && !isEnding ? { livestream, isNew: false, refused } : { nothing: sight }
    } catch (error) {
      return { error: error instanceof Failure ? withOutcome(error, 'failed') : error, nothingCame: false }
    }
  }

  /** The refusal in our own words, as far as it can be known. */
  async function refusedWith(
    refused: Failure,
    { isEnding }: Sight,
    meeting: OwnedMeeting,
    { signal }: StartWait
  ): Promise<StartOutcome> {
    if (isDefiniteRefusal(refused) && (isEnding || endingRuns.isRecent(meeting))) {
      return { error: stillStopping(refused), nothingCame: true }
    }
    const reason = refused.upstreamStatus === 403 ? await whyForbidden(meeting, signal).catch(() => null) : null
    if (reason === null) return { error: refused, nothingCame: true }
    const { upstreamStatus, upstreamReason } = refused
    return { error: new reason({ outcome: 'failed', upstreamStatus, upstreamReason }), nothingCame: true }
  }

  async function whyForbidden({ id, tenantId, upstream }: OwnedMeeting, signal: AbortSignal) {
    const provider = upstreamOf(upstreams, { upstream }, 'mutation').on({ tenantId, lane: 'mutation' })
    const meeting = await provider.findMeeting(id, signal)
    if (meeting?.status === 'INACTIVE') return MeetingInactive
    const last = await livestreams.lastOfMeeting(tenantId, id)
    const found = last && (await provider.findLivestream(last.id, { pageNo: 1, perPage: 1 }, signal))
    return found?.livestream.disabled ? LivestreamDisabled : null
  }
}

/** The vendor has said no. What is wrong with the caller's own fields no look explains. */
function isRefusal(error: Failure): boolean {
  if (isOneOf(error, InvalidInput) || error.outcome === 'unknown') return false
  return error.status < 500 || isOneOf(error, UpstreamRefused)
}

/** The answer to a start names no livestream (contract section 4.3), but the caller knows what it asked for. */
function named(livestream: LivestreamWithKey, wish: LivestreamWish): { name?: string | null } {
  return livestream.name === undefined && wish.name !== undefined ? { name: wish.name } : {}
}
