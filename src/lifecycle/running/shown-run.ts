import { LRUCache } from 'lru-cache'
import { isSameId, placeOf } from '../../domain/id.ts'
import { isOverOrComing, isRunning, type Livestream, type LivestreamWithKey, names } from '../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import { Failure, UpstreamFailed, UpstreamMalformed, UpstreamRefused } from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { LivestreamOwner, Livestreams } from '../../store/tables/livestreams.ts'
import type { LivestreamWithSessions, Provider, RunningLivestreams } from '../../upstream/provider.ts'
import { isIn, type KnownMeetings } from '../resources/known-meetings.ts'

/**
 * The vendor's `active-livestream`: what is live, or null when nothing is. Undefined when its answer says neither; then the lists
 * decide. @throws what a Provider throws
 */
export async function findActive(provider: Provider, { id }: OwnedMeeting, signal: AbortSignal) {
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

export interface ListedRunDeps {
  knownMeetings: Pick<KnownMeetings, 'whereIs' | 'note'>
  begunRuns: Pick<BegunRuns, 'of'>
}

/**
 * Finds the run of a meeting among all that an upstream lists. A list may leave the meetings out, and may be of a moment ago: what a livestream
 * says of itself, asked for by its id, counts. @throws UpstreamMalformed when nobody says whose a run is: it may be this meeting's
 */
export type ListedRun = (
  running: RunningLivestreams,
  meeting: OwnedMeeting,
  provider: Provider,
  signal: AbortSignal
) => Promise<LivestreamWithKey | null>

/** Runs without their meeting that one look asks for; what they say is remembered, so that the next look comes further. */
const mostAsked = 5

export function listedRun({ knownMeetings, begunRuns }: ListedRunDeps): ListedRun {
  return async ({ livestreams: running, unreadIn }, meeting, provider, signal) => {
    const look = (id: string) => provider.findLivestream(id, { pageNo: 1, perPage: 1 }, signal)
    for (const listed of running.filter(one => names(one, meeting.id))) {
      const found = await look(listed.id)
      if (!isOver(listed, found, meeting)) return shown(listed, found)
    }
    let asked = 0
    let isUntold = false
    for (const listed of running.filter(({ meeting_id }) => meeting_id === undefined)) {
      const known = await knownMeetings.whereIs(meeting.upstream, listed.id)
      if (known?.isProved && !isIn(known, meeting)) continue
      const found = asked++ < mostAsked ? await look(listed.id) : null
      const named = found?.livestream.meeting_id
      if (named != null) knownMeetings.note({ id: named, upstream: meeting.upstream }, listed.id, true)
      const where = named === undefined ? known : { meetingId: named, isProved: true }
      if (where === null) isUntold = true
      else if (isIn(where, meeting) && !isOver(listed, found, meeting)) return shown(listed, found)
    }
    if (isUntold || [...unreadIn].some(id => isSameId(id, meeting.id)))
      throw new UpstreamMalformed({ cause: new Error('nobody says which meeting a listed run is of') })
    return null
  }

  /** The livestream's own answer may lag behind the list when we have begun its run a moment ago. */
  function isOver({ id }: LivestreamWithKey, found: LivestreamWithSessions | null, meeting: OwnedMeeting): boolean {
    if (found === null || isRunning(found.livestream.status)) return false
    const begun = begunRuns.of(meeting)
    return begun === null || !isSameId(begun, id)
  }

  function shown(listed: LivestreamWithKey, found: LivestreamWithSessions | null): LivestreamWithKey {
    return { ...(found?.livestream ?? listed), status: listed.status }
  }
}

const maxMeetings = 10_000

/**
 * Runs that our own starts have begun a moment ago, and that no look has shown on air yet. The vendor may hide such a run,
 * also when it is asked for by its id. One look that contradicts the start is not believed, as for a confirmed stop.
 */
export class BegunRuns {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #settleMs: number
  readonly #runs = new LRUCache<string, { livestreamId: string; atMs: number }>(upTo(maxMeetings))

  /** @param settleMs for so long a run may be hidden */
  constructor(clock: Pick<Clock, 'monotonic'>, settleMs: number) {
    this.#clock = clock
    this.#settleMs = settleMs
  }

  /** A start has begun a run of this livestream. @param agoMs since the start was sent */
  began(meeting: PlacedMeeting, livestreamId: string, agoMs = 0): void {
    this.#runs.set(placeOf(meeting), { livestreamId, atMs: this.#clock.monotonic() - agoMs })
  }

  /** The vendor has shown it on air, or has confirmed that it is over: looks are believed again. */
  believed(meeting: PlacedMeeting): void {
    this.#runs.delete(placeOf(meeting))
  }

  /** The livestream whose run may not be shown yet; null when there is none. */
  of(meeting: PlacedMeeting): string | null {
    const run = this.#runs.get(placeOf(meeting))
    return run !== undefined && this.#clock.monotonic() - run.atMs < this.#settleMs ? run.livestreamId : null
  }
}

export interface IsComingDeps {
  livestreams: Pick<Livestreams, 'lastSeenIn' | 'unseenForMs'>
  settleMs: number
}

/**
 * Whether the run of a livestream is yet to come, where the vendor's word for that is the one for a run that has ended too. The run
 * that was seen last, as INVOKED and not as LIVE or ended since, counts as coming for `settleMs`. After that the vendor's word
 * stands, since another client may have ended it.
 */
export type IsComing = (
  owner: Pick<LivestreamOwner, 'id' | 'upstream' | 'meetingId'>,
  livestream: Livestream
) => Promise<boolean>

export function isComing({ livestreams, settleMs }: IsComingDeps): IsComing {
  return async ({ id, upstream, meetingId }, { status }) => {
    if (!isOverOrComing(status) || meetingId === null) return false
    const last = await livestreams.lastSeenIn({ id: meetingId, upstream }).catch(() => null)
    if (last?.id !== id || last.status !== 'INVOKED') return false
    return livestreams.unseenForMs(last) < settleMs
  }
}
