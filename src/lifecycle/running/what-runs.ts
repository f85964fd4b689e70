import { placeOf } from '../../domain/id.ts'
import { isOver, isRunning, type LivestreamWithKey, names, withoutKey } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { Failure, UpstreamFailed, UpstreamRefused } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { LivestreamOwner, Livestreams } from '../../store/tables/livestreams.ts'
import type { Priority, Provider, RunningLivestreams, Upstream, Upstreams } from '../../upstream/provider.ts'
import { type Changes, upstreamOf } from '../context.ts'
import { type Look, lookOf, type Sightings } from '../ledger/sightings.ts'
import type { SharedReads } from '../reads/shared-reads.ts'
import { isProvedBy, type KnownMeetings, ofAnotherMeeting } from '../resources/known-meetings.ts'
import type { RememberLivestream } from '../resources/remember.ts'
import type { EndingRuns } from './ending-runs.ts'
import type { IsComing } from './is-coming.ts'
import { listedRun } from './listed-run.ts'
import type { OwnStarts } from './own-actions.ts'
import type { SeenRun, WhatRuns } from './sight.ts'

export interface WhatRunsDeps {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastSeenIn' | 'list'>
  knownMeetings: KnownMeetings
  rememberLivestream: RememberLivestream
  sightings: Pick<Sightings, 'gone'>
  isComing: IsComing
  endingRuns: EndingRuns
  ownStarts: OwnStarts
  /** When each upstream has answered a look or a stop well, on the monotonic clock. */
  heardAtMs: Map<string, number>
  /** Lists of what runs in an upstream, shared by all of its meetings that are read at the same time. */
  listReads: SharedReads<ListedRuns>
  changes: Changes
  clock: Pick<Clock, 'monotonic'>
}

/** The livestreams that run in an upstream, and how many changes Livegate had made when it asked. */
export interface ListedRuns {
  running: RunningLivestreams
  changes: number
}

/** So many livestreams of a meeting are asked for by id when the vendor shows no active one. */
const askedById = 5

export function whatRuns(deps: WhatRunsDeps): WhatRuns {
  const {
    changes,
    upstreams,
    livestreams,
    knownMeetings,
    rememberLivestream,
    sightings,
    isComing,
    endingRuns,
    ownStarts,
    heardAtMs,
    listReads,
    clock
  } = deps
  const findListed = listedRun(deps)

  return async (meeting, priority, signal, { isFollowUp = false, onSent } = {}) => {
    const look = { askedAtMs: clock.monotonic() }
    const upstream = upstreamOf(upstreams, meeting, priority)
    const provider = upstream.on({ tenantId: meeting.tenantId, priority, onSent })
    const { shown: answered, byLists } = await ask(upstream, provider, meeting, priority, signal)
    heardAtMs.set(meeting.upstream, clock.monotonic())
    const shown = answered && (await knownMeetings.spelt(answered))
    // A vendor might show the last run as the active one: over is over, and another one may be hidden behind it.
    const isPast = shown !== null && isOver(shown.status)
    if (isPast && !(await knownMeetings.isOfEarlierHolder(meeting, shown.id)))
      await remember(provider, meeting, shown, look, signal)
    const found =
      isPast || shown === null
        ? await findKnown(provider, meeting, { all: isFollowUp || (byLists && priority !== 'read'), priority }, signal)
        : shown
    if (found === null) {
      const isWeak = (byLists && !upstream.habits.refusesSecondStart) || ownStarts.begunRun(meeting) !== null
      return { livestream: null, isNobodys: false, isEnding: false, isUnclear: false, isWeak }
    }
    const isEnding = await endingRuns.isEnding(meeting, found, provider, isFollowUp, signal)
    const seen = isEnding
      ? { livestream: { ...found, meeting_id: meeting.id }, isNobodys: false }
      : await remember(provider, meeting, found, look, signal)
    if (!isEnding && found.status === 'LIVE') ownStarts.believed(meeting)
    return { ...seen, isEnding: isEnding !== false, isUnclear: isEnding === 'maybe', isWeak: false }
  }

  /** `byLists`: `active-livestream` says nothing, and the lists have been read instead. */
  async function ask(
    { habits }: Upstream,
    provider: Provider,
    meeting: OwnedMeeting,
    priority: Priority,
    signal: AbortSignal
  ): Promise<{ shown: LivestreamWithKey | null; byLists: boolean }> {
    const areListsFirst = habits.failsWhenNothingIsLive
    const active = areListsFirst ? undefined : await findActive(provider, meeting, signal)
    if (active !== undefined) return { shown: active, byLists: false }
    let running: RunningLivestreams
    try {
      running = await findRunning(provider, meeting, priority, signal)
    } catch (error) {
      return withoutLists(provider, meeting, areListsFirst, signal).catch(() => {
        throw error
      })
    }
    const shown = await findListed(running, meeting, provider, signal)
    if (shown === null && !areListsFirst) habits.noteFailedWhenNothingWasLive()
    return { shown, byLists: true }
  }

  /** Asks about this meeting alone, so that other tenants' entries in the lists cannot hold it back. */
  async function withoutLists(provider: Provider, meeting: OwnedMeeting, isUnasked: boolean, signal: AbortSignal) {
    const active = isUnasked ? await findActive(provider, meeting, signal) : undefined
    if (active !== undefined) return { shown: active, byLists: false }
    const own = await provider.findInMeeting(meeting.id, signal)
    const running = own.map(({ livestream }) => livestream).find(({ status }) => isRunning(status))
    return { shown: running ?? null, byLists: true }
  }

  /** A start or a stop asks for itself; those who read share what one of them has asked. */
  async function findRunning(
    provider: Provider,
    meeting: OwnedMeeting,
    priority: Priority,
    signal: AbortSignal
  ): Promise<RunningLivestreams> {
    const { upstream } = meeting
    if (priority !== 'read') return provider.findRunning(signal)
    const ask = async (signal: AbortSignal): Promise<ListedRuns> => {
      const before = changes.count
      return { running: await provider.findRunning(signal), changes: before }
    }
    const seen = await listReads.read({
      key: upstream,
      subject: `upstream/${upstream}`,
      ask,
      signal: () => signal,
      isHeard: true
    })
    // A stale list says nothing about now.
    if (seen.how === 'stale') throw new UpstreamFailed()
    // Neither does a list from before the meeting was started or stopped.
    return changes.of(placeOf(meeting)) > seen.value.changes ? provider.findRunning(signal) : seen.value.running
  }

  /** One of ours that runs although the vendor shows no active one. A store that can't be read must not hold a read back. */
  async function findKnown(
    provider: Provider,
    meeting: OwnedMeeting,
    { all, priority }: { all: boolean; priority: Priority },
    signal: AbortSignal
  ): Promise<LivestreamWithKey | null> {
    const { id: meetingId, tenantId, upstream } = meeting
    const last = await livestreams.lastSeenIn(meeting).catch(() => null)
    // A run that was stopped a moment ago may be hidden and go on: a start would be joined to it.
    const isHidden = (): boolean => priority === 'mutation' && endingRuns.isRecent(meeting)
    const ids = new Set(last !== null && (isRunning(last.status) || isHidden()) ? [last.id] : [])
    // It is asked for also when an earlier look has marked its row as over.
    const begun = ownStarts.begunRun(meeting)
    if (begun !== null) ids.add(begun)
    const known = all ? await livestreams.list(tenantId, { meetingId, pageNo: 1, perPage: askedById }) : { items: [] }
    for (const { id } of known.items) ids.add(id)
    for (const id of ids) {
      const askedAtMs = clock.monotonic()
      const found = await provider.findLivestream(id, { pageNo: 1, perPage: 1 }, signal)
      // A run that is over stays with the tenant that held the meeting then.
      const owner = { id, tenantId: id === last?.id ? last.tenantId : tenantId, upstream, meetingId }
      // An answer may leave the meeting out; another meeting's run is not this one's.
      if (found === null) await sightings.gone(owner, askedAtMs)
      if (found === null || !(await knownMeetings.fits(owner, found.livestream, provider))) continue
      const coming = await isComing(owner, found.livestream)
      const livestream = { ...found.livestream, ...(coming && { status: 'INVOKED' }) }
      if (isRunning(livestream.status)) return livestream
      await keep({ ...owner, isProved: isProvedBy(owner, livestream) }, livestream, lookOf(found, askedAtMs))
    }
    return null
  }

  /** One look is no proof that a run is over which we have begun a moment ago. */
  async function keep(owner: LivestreamOwner, livestream: LivestreamWithKey, look: Look): Promise<void> {
    const isEarly =
      !isRunning(livestream.status) && ownStarts.begunRun({ ...owner, id: owner.meetingId ?? '' }) === owner.id
    if (!isEarly) await rememberLivestream(owner, livestream, look)
  }

  /** Makes a livestream of this meeting known to its tenant. Where nobody says whose it is, it is given back without key, ingest and playback address. */
  async function remember(
    provider: Provider,
    meeting: OwnedMeeting,
    livestream: LivestreamWithKey,
    look: Look,
    signal: AbortSignal
  ): Promise<SeenRun> {
    const { id: meetingId, tenantId, upstream } = meeting
    const { id } = livestream
    const isKnown = await knownMeetings.has(meeting, id, provider)
    const isNamed = names(livestream, meetingId)
    const isProved = isNamed || (!isKnown && (await isShownHere(provider, meeting, id, signal)))
    if (!isKnown && !isProved) {
      const { playback_url: _playback, ...bare } = withoutKey(livestream)
      return { livestream: { ...bare, meeting_id: meetingId }, isNobodys: true }
    }
    const ours = { ...livestream, meeting_id: meetingId }
    knownMeetings.note(meeting, id, isProved)
    await keep({ id, tenantId, upstream, meetingId, isProved }, ours, look)
    return { livestream: ours, isNobodys: false }
  }
}

/** The vendor left the meeting out: it may tell when it is asked for the livestream. @throws UpstreamMalformed when it is another's */
async function isShownHere(
  provider: Provider,
  meeting: OwnedMeeting,
  livestreamId: string,
  signal: AbortSignal
): Promise<boolean> {
  const found = await provider.findLivestream(livestreamId, { pageNo: 1, perPage: 1 }, signal).catch(() => null)
  if (found?.livestream.meeting_id == null) return false
  if (!names(found.livestream, meeting.id)) throw ofAnotherMeeting()
  return true
}

/**
 * The vendor's `active-livestream`: what is live, or null when nothing is. Undefined when its answer says neither; then the lists
 * decide. @throws what a Provider throws
 */
async function findActive(provider: Provider, { id }: OwnedMeeting, signal: AbortSignal) {
  try {
    return await provider.findActive(id, signal)
  } catch (error) {
    if (!saysNothing(error)) throw error
    return undefined
  }
}

/** An answer that says neither what is live nor, in the contract's own way, that nothing is. */
function saysNothing(error: unknown): boolean {
  const { upstreamStatus = 0 } = error instanceof Failure ? error : {}
  if (error instanceof UpstreamFailed) return upstreamStatus >= 500
  return error instanceof UpstreamRefused && (upstreamStatus === 400 || upstreamStatus === 409)
}
