import { sql as raw } from 'kysely'
import { spelled } from '../../domain/id.ts'
import type { PlacedMeeting } from '../../domain/meeting.ts'
import type { Statement } from '../engine/engine.ts'
import { isSpelled } from '../schema/spelling.ts'
import type { Store } from '../store.ts'

/** A participant by its ids: the vendor's, and the caller's own as a keyed fingerprint. */
export interface KnownParticipant {
  id: string
  customFingerprint: string
}

/**
 * The table `meeting_participants`: which participants are known to be of which meeting. They follow their meeting: whoever holds
 * that may ask for them.
 */
export function participantsIn({ engine, sql }: Store) {
  return {
    /** The id as the vendor wrote it; null unless such a participant was shown in this meeting. */
    async find({ id: meetingId, upstream }: PlacedMeeting, id: string): Promise<string | null> {
      const query = sql
        .selectFrom('meeting_participants')
        .select('id')
        .where(isSpelled(spelled(id)))
        .where('meeting_id', '=', meetingId)
        .where('upstream', '=', upstream)
      const [row] = await engine.read(query.compile())
      return row?.id ?? null
    },

    /** Ids of those that have this keyed fingerprint of their custom id, the one that was known first before the others. */
    async withCustomId(customFingerprint: string): Promise<string[]> {
      const query = sql
        .selectFrom('meeting_participants')
        .select('id')
        .where('custom_fingerprint', '=', customFingerprint)
        .orderBy('seen_at')
        .limit(10)
      return (await engine.read(query.compile())).map(({ id }) => id)
    },

    /** For the transaction that adds one: undone when another replica has made it known since it was looked for. @throws Conflict, by the transaction */
    noneYet(customFingerprint: string): Statement {
      const known = raw`select 1 from meeting_participants where custom_fingerprint = ${customFingerprint}`
      const query = raw`update meta set value = value where name = 'limits_from' and not exists (${known})`
      return { ...query.compile(sql), changes: 1 }
    },

    /** The vendor does not have it any more. */
    gone(id: string): Statement {
      return sql.deleteFrom('meeting_participants').where('id', '=', id).compile()
    },

    /** Keeps those that are new. One that is known elsewhere stays there. */
    seen({ id: meetingId, upstream }: PlacedMeeting, shown: KnownParticipant[], nowMs: number): Statement {
      const rows = shown.map(({ id, customFingerprint }) => ({
        id,
        upstream,
        meeting_id: meetingId,
        custom_fingerprint: customFingerprint,
        seen_at: nowMs
      }))
      return sql
        .insertInto('meeting_participants')
        .values(rows)
        .onConflict(conflict => conflict.doNothing())
        .compile()
    }
  }
}
export type KnownParticipants = ReturnType<typeof participantsIn>
