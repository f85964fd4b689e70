import { isSameId } from '../../domain/id.ts'
import { isRunning, type LivestreamSession, names } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { vendorTimeMs } from '../../domain/values/vendor-time.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { LivestreamWithSessions, Provider, Upstreams } from '../../upstream/provider.ts'
import { providerOf } from '../context.ts'
import { type KnownMeetings, ofAnotherMeeting } from '../resources/known-meetings.ts'
import type { EndingRuns } from './ending-runs.ts'
import { listedRun } from './listed-run.ts'
import type { OwnStarts } from './own-actions.ts'
import type { SeenRun, WhatRuns } from './sight.ts'
import { beginOf, runsPerPage, withNewest } from './verdict.ts'

export interface FindStartedDeps {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastSeenIn'>
  whatRuns: WhatRuns
  knownMeetings: Pick<KnownMeetings, 'has' | 'whereIs' | 'note' | 'spelt'>
  ownStarts: Pick<OwnStarts, 'begunRun'>
  endingRuns: Pick<EndingRuns, 'showEnding'>
  clock: Pick<Clock, 'monotonic'>
}

/** A livestream with its runs. `areNewest`: the newest are among them. */
type LivestreamRuns = Pick<LivestreamWithSessions, 'livestream' | 'sessions'> & { areNewest: boolean }

/** When a start was sent, by the vendor's clock; and when the done ones of its meeting before it were, the last one first. */
export interface SentStart {
  /** Never too late, and up to a second too early. Null when it is not known: then only a run that goes on is its own. */
  atMs: number | null
  before: readonly number[]
  /** On the monotonic clock. When another process has sent it, the wall clock tells how long ago that was. */
  monotonicMs: number
}

/** A `Date` has whole seconds. */
const secondMs = 1_000

/** Beyond this the vendor's clock was set, or one of its answers had an old `Date`, as from a cache. */
const clockStepMs = 2_000

/**
 * Finds what the vendor shows of a start whose answer was lost: the run that it began, which may have ended since, or null. Ids can
 * be used again, so that only the times of a livestream's runs tell an older one. `unclear`: it may be the run before, which was
 * stopped, or the new one; or the vendor has more runs than it shows.
 * @throws what a Provider throws; UpstreamMalformed when the vendor shows a livestream of another meeting
 */
export type FindStarted = (
  meeting: OwnedMeeting,
  sent: SentStart,
  signal: AbortSignal
) => Promise<SeenRun | 'unclear' | null>

export function findStarted(deps: FindStartedDeps): FindStarted {
  const { upstreams, livestreams, whatRuns, knownMeetings, endingRuns, clock } = deps
  const findListed = listedRun(deps)

  return async (meeting, sent, signal) => {
    // Nothing was live when we sent the start, so whatever is live now came from it.
    const { livestream: active, isNobodys, isEnding, isUnclear } = await whatRuns(meeting, 'mutation', signal)
    if (active !== null && !isEnding) return { livestream: active, isNobodys }
    const provider = providerOf(upstreams, meeting, 'mutation')
    // The list has the newest of the whole account, perhaps another tenant's. A run that it does not show is looked for below.
    const listed = await provider.findRuns(meeting.id, signal).catch((): LivestreamWithSessions[] => [])
    await expectOurs(meeting, listed, provider)
    // Ours may be an old one that was used again.
    const last = await livestreams.lastSeenIn(meeting).catch(() => null)
    if (last !== null && listed.every(({ livestream }) => !isSameId(livestream.id, last.id))) {
      const found = await provider.findLivestream(last.id, { pageNo: 1, perPage: runsPerPage }, signal)
      if (found !== null && (found.livestream.meeting_id == null || names(found.livestream, meeting.id)))
        listed.push(found)
    }
    const shown = await judged(meeting, sent, listed, isUnclear, provider, signal)
    if (shown !== null) return shown
    const others = await findAnywhere(meeting, provider, signal)
    await expectOurs(meeting, others, provider)
    return judged(meeting, sent, others, isUnclear, provider, signal)
  }

  /** @throws UpstreamMalformed when one of them is another meeting's */
  async function expectOurs(
    meeting: OwnedMeeting,
    shown: readonly LivestreamWithSessions[],
    provider: Provider
  ): Promise<void> {
    for (const { livestream } of shown) {
      if (livestream.meeting_id != null && !names(livestream, meeting.id)) throw ofAnotherMeeting()
      // Throws when it is known as another meeting's.
      await knownMeetings.has(meeting, livestream.id, provider)
    }
  }

  /** Judges by the runs of the meeting's livestreams what the start came to. */
  async function judged(
    meeting: OwnedMeeting,
    sent: SentStart,
    shown: readonly LivestreamWithSessions[],
    isUnclear: boolean,
    provider: Provider,
    signal: AbortSignal
  ): Promise<SeenRun | 'unclear' | null> {
    const runs: LivestreamRuns[] = []
    for (const one of shown) {
      const spelt = { ...one, livestream: await knownMeetings.spelt(one.livestream) }
      runs.push({ ...spelt, ...(await withNewest(provider, spelt, signal)) })
    }
    // A run that goes on may be the one that was stopped before; its own times tell it from the new one, where there are any.
    const isOld = ({ sessions, areNewest }: LivestreamRuns): boolean =>
      endingRuns.showEnding(meeting, sessions, areNewest)
    const isOn = ({ livestream }: LivestreamRuns): boolean => isRunning(livestream.status)
    const began =
      beganSince(runs, { ...sent, atMs: dated(meeting, sent) }) ?? runs.find(run => isOn(run) && !isOld(run))
    const isUntold = runs.some(run => !run.areNewest || (isOn(run) && run.sessions.length === 0))
    if (began === undefined) return isUntold || (isUnclear && runs.length === 0) ? 'unclear' : null
    return { livestream: { ...began.livestream, meeting_id: meeting.id }, isNobodys: false }
  }

  /** When it was sent, by the vendor's clock; null when that says something else now than it said then. */
  function dated({ upstream }: OwnedMeeting, { atMs, monotonicMs }: SentStart): number | null {
    const nowMs = upstreams.get(upstream)?.vendorNowMs('earliest') ?? null
    if (atMs === null || nowMs === null) return atMs
    const sentAtMs = nowMs - (clock.monotonic() - monotonicMs)
    return Math.abs(sentAtMs - atMs) <= clockStepMs ? atMs : null
  }

  /**
   * Asks the meeting itself, or else the lists of all that runs. Livestreams that others have made since may have pushed the meeting's
   * own out of the list of the newest.
   */
  async function findAnywhere(
    meeting: OwnedMeeting,
    provider: Provider,
    signal: AbortSignal
  ): Promise<LivestreamWithSessions[]> {
    const own = await provider.findInMeeting(meeting.id, signal).catch(() => null)
    if (own !== null) return own
    const running = await findListed(await provider.findRunning(signal), meeting, provider, signal)
    const found = running && (await provider.findLivestream(running.id, { pageNo: 1, perPage: runsPerPage }, signal))
    return found ? [{ ...found, livestream: { ...found.livestream, status: running.status } }] : []
  }
}

/**
 * The livestream whose run has begun since a start was sent. An older run that is taken for it would call a meeting live that is not.
 * A run that is missed, since it has begun and ended meanwhile, leaves nothing live. Within the second that is not known the runs
 * are counted: each done start of that time has begun one of them.
 */
function beganSince(runs: LivestreamRuns[], { atMs, before }: SentStart): LivestreamRuns | undefined {
  if (atMs === null) return undefined
  const begins = runs.flatMap(run => beginsOf(run).map(beganMs => ({ run, beganMs })))
  const [last] = begins.toSorted((a, b) => b.beganMs - a.beganMs)
  if (last === undefined || last.beganMs < atMs) return undefined
  if (last.beganMs >= atMs + secondMs) return last.run
  let sinceMs = atMs
  let ours = 0
  for (const earlierMs of before) {
    if (Math.abs(sinceMs - earlierMs) >= secondMs) break
    sinceMs = Math.min(sinceMs, earlierMs)
    ours += 1
  }
  return begins.filter(({ beganMs }) => beganMs >= sinceMs).length > ours ? last.run : undefined
}

/** A vendor may show no runs: there a livestream that is new itself is all there is to see. */
function beginsOf({ livestream, sessions }: LivestreamRuns): number[] {
  const times = sessions.length === 0 ? [livestream.created_at] : sessions.map(beginOf)
  return times.map(vendorTimeMs).filter(Number.isFinite)
}

/**
 * Whether the run of this livestream that is live now is another one than was live at that time. A begin alone does not prove it,
 * since the vendor's clocks may differ: the run before must be over since then, or the livestream be new. Neither is proved by a run
 * that has gone on air, which happens long after it began. False when the vendor doesn't tell.
 */
export async function beganAfter(
  provider: Provider,
  id: string,
  { afterMs, nowMs }: { afterMs: number; nowMs: number },
  signal: AbortSignal
): Promise<boolean> {
  const found = await provider.findLivestream(id, { pageNo: 1, perPage: runsPerPage }, signal)
  if (found === null) return false
  const { sessions, areNewest } = await withNewest(provider, found, signal)
  const beganMs = ({ invoked_time }: LivestreamSession): number => vendorTimeMs(invoked_time) || 0
  const [newest, ...older] = sessions.toSorted((a, b) => beganMs(b) - beganMs(a))
  if (!areNewest || newest === undefined || beganMs(newest) < afterMs || beganMs(newest) > nowMs) return false
  // The newest run may be the one that goes on only when all others are over. One that began and ended since the stop proves nothing.
  if (newest.stopped_time != null || older.some(({ stopped_time }) => stopped_time == null)) return false
  const isNew = vendorTimeMs(found.livestream.created_at) >= afterMs
  // A `Date` has whole seconds.
  return isNew || older.some(({ stopped_time }) => vendorTimeMs(stopped_time) >= afterMs - 1_000)
}
