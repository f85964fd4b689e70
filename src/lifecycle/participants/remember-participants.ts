import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import type { PlacedMeeting } from '../../domain/meeting.ts'
import type { MeetingParticipant } from '../../domain/participant.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Engine, Statement } from '../../store/engine/engine.ts'
import type { KnownParticipants } from '../../store/tables/participants.ts'

/** Keyed fingerprint of the id that a caller gives to a participant of this meeting: it may be a person's address. */
export type CustomFingerprint = (meeting: PlacedMeeting, customId: string) => string

export interface RememberParticipantsDeps {
  engine: Pick<Engine, 'write'>
  participants: Pick<KnownParticipants, 'seen'>
  fingerprintOf: CustomFingerprint
  clock: Pick<Clock, 'now'>
}

/** Keeps which participants were shown in which meeting: only those may be asked for by their ids. */
export interface RememberParticipants {
  /** Rows for a transaction; none when all are known. */
  rows(meeting: PlacedMeeting, shown: MeetingParticipant[]): Statement[]
  /** Writes them. @throws StoreError */
  keep(meeting: PlacedMeeting, shown: MeetingParticipant[]): Promise<void>
  /** Its row was removed: shown again, it is written anew. */
  forget(meeting: PlacedMeeting, id: string): void
}

export function rememberParticipants(deps: RememberParticipantsDeps): RememberParticipants {
  const { engine, participants, fingerprintOf, clock } = deps
  /** Lists are read again and again: what was written is not written anew. */
  const written = new LRUCache<string, true>(upTo(20_000))
  const keyOf = (meeting: PlacedMeeting, { id }: Pick<MeetingParticipant, 'id'>): string => `${placeOf(meeting)}/${id}`

  function rows(meeting: PlacedMeeting, shown: MeetingParticipant[]): Statement[] {
    const fresh = shown.filter(one => !written.has(keyOf(meeting, one)))
    if (fresh.length === 0) return []
    const known = fresh.map(({ id, custom_participant_id: customId }) => ({
      id,
      customFingerprint: fingerprintOf(meeting, customId)
    }))
    return [participants.seen(meeting, known, clock.now())]
  }

  return {
    rows,
    async keep(meeting, shown) {
      const statements = rows(meeting, shown)
      if (statements.length === 0) return
      await engine.write(statements)
      for (const one of shown) written.set(keyOf(meeting, one), true)
    },

    forget: (meeting, id) => void written.delete(keyOf(meeting, { id }))
  }
}

/** @param fingerprint makes keyed fingerprints */
export function customFingerprint(fingerprint: (kind: 'participant', text: string) => string): CustomFingerprint {
  return (meeting, customId) => fingerprint('participant', JSON.stringify([placeOf(meeting), customId]))
}

/** The subject that a change of a meeting's participants outdates. */
export function participantsOf(meeting: PlacedMeeting): string {
  return `participants of ${placeOf(meeting)}`
}
