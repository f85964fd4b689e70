import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { MeetingParticipant } from '../../domain/participant.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { KnownParticipants } from '../../store/tables/participants.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { type Context, providerOf } from '../context.ts'
import type { CustomFingerprint, RememberParticipants } from './remember-participants.ts'

export interface SearchDeps extends Pick<Context, 'bounded'> {
  upstreams: Upstreams
  engine: Pick<Engine, 'write'>
  participants: Pick<KnownParticipants, 'withCustomId' | 'gone'>
  rememberParticipants: RememberParticipants
  fingerprintOf: CustomFingerprint
}

/** Searches for participants by the ids that their callers gave: the vendor has no question for that. */
export interface ParticipantSearch {
  /**
   * One that the meeting has now; null when none is known. The first search in a meeting reads its whole list once: from then on rows
   * tell, since whoever is added here has one. @throws what a Provider throws, StoreError
   */
  byCustomId(meeting: OwnedMeeting, customId: string, signal: AbortSignal): Promise<MeetingParticipant | null>
  /** The same by the keyed fingerprint, in the list as it is now; `unclear` when the list is too long to be read to its end. */
  inList(meeting: OwnedMeeting, fingerprint: string): Promise<MeetingParticipant | null | 'unclear'>
}

const perPage = 100
/** A longer list is read in part. */
const mostPages = 50
const rememberedMeetings = 10_000
/** Stands for a list that was read. */
const done = Promise.resolve()

export function participantSearch(deps: SearchDeps): ParticipantSearch {
  const { upstreams, engine, participants, rememberParticipants, fingerprintOf, bounded } = deps
  /** Meetings whose list was read by this process, or is being read. */
  const read = new LRUCache<string, Promise<unknown>>(upTo(rememberedMeetings))

  /** Reads the list, and keeps whom it shows. */
  async function walk(meeting: OwnedMeeting, signal: AbortSignal) {
    const provider = providerOf(upstreams, meeting, 'mutation')
    const found: MeetingParticipant[] = []
    for (let pageNo = 1; pageNo <= mostPages; pageNo++) {
      const { items, paging } = await provider.findParticipants(meeting.id, { pageNo, perPage }, signal)
      await rememberParticipants.keep(meeting, items)
      found.push(...items)
      if (items.length === 0 || found.length >= paging.total_count) return { found, isWhole: true }
    }
    return { found, isWhole: false }
  }

  /** All who wait for it share it. One that fails is begun anew by the next. */
  async function walkOnce(meeting: OwnedMeeting): Promise<void> {
    const place = placeOf(meeting)
    const walking = read.get(place) ?? bounded(signal => walk(meeting, signal))
    read.set(place, walking)
    try {
      await walking
      read.set(place, done)
    } catch (error) {
      if (read.get(place) === walking) read.delete(place)
      throw error
    }
  }

  async function known(
    meeting: OwnedMeeting,
    customId: string,
    signal: AbortSignal
  ): Promise<MeetingParticipant | null> {
    const provider = providerOf(upstreams, meeting, 'mutation')
    for (const id of await participants.withCustomId(fingerprintOf(meeting, customId))) {
      const found = await provider.findParticipant(meeting.id, id, signal)
      if (found?.custom_participant_id === customId) return found
      await engine.write([participants.gone(id)])
      rememberParticipants.forget(meeting, id)
    }
    return null
  }

  return {
    async byCustomId(meeting, customId, signal) {
      const found = await known(meeting, customId, signal)
      if (found !== null || read.get(placeOf(meeting)) === done) return found
      await walkOnce(meeting)
      return known(meeting, customId, signal)
    },

    async inList(meeting, fingerprint) {
      const { found, isWhole } = await bounded(signal => walk(meeting, signal))
      const ours = found.find(one => fingerprintOf(meeting, one.custom_participant_id) === fingerprint)
      return ours ?? (isWhole ? null : 'unclear')
    }
  }
}
