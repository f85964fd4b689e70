import { isSameId } from '../../domain/id.ts'
import { isRunning, type LivestreamWithKey, names } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { UpstreamMalformed } from '../../domain/refusals/failures.ts'
import type { LivestreamWithSessions, Provider, RunningLivestreams } from '../../upstream/provider.ts'
import { isIn, type KnownMeetings } from '../resources/known-meetings.ts'
import type { OwnStarts } from './own-actions.ts'

export interface ListedRunDeps {
  knownMeetings: Pick<KnownMeetings, 'whereIs' | 'note'>
  ownStarts: Pick<OwnStarts, 'begunRun'>
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

export function listedRun({ knownMeetings, ownStarts }: ListedRunDeps): ListedRun {
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
    const begun = ownStarts.begunRun(meeting)
    return begun === null || !isSameId(begun, id)
  }

  function shown(listed: LivestreamWithKey, found: LivestreamWithSessions | null): LivestreamWithKey {
    return { ...(found?.livestream ?? listed), status: listed.status }
  }
}
