import { sql as raw } from 'kysely'
import { spelled } from '../../domain/id.ts'
import type { Livestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Statement } from '../engine/engine.ts'
import { nextRevision, thisRevision } from '../schema/database.ts'
import { isSpelled } from '../schema/spelling.ts'
import type { Store } from '../store.ts'
import type { KnownMeeting } from './livestreams.ts'

/** New place of a livestream, as the vendor shows it there. */
export interface RightPlace {
  upstream: string
  meetingId: string
  /** Null when nobody holds that meeting: then nobody has the livestream. */
  holder: OwnedMeeting | null
  livestream: Livestream
}

/** Rows of `livestreams` that a wrong answer has put into a meeting. */
export function misplacedIn({ sql }: Pick<Store, 'sql'>) {
  const revise = nextRevision(sql)

  return {
    /**
     * Statements that put an unproved livestream where the vendor says that it is. Nothing is kept of what was seen of it before. They
     * are undone when it was proved, or put elsewhere, meanwhile, or when the meeting has changed hands.
     */
    moved(id: string, from: KnownMeeting, to: RightPlace, nowMs: number): Statement[] {
      const { upstream, meetingId, holder, livestream } = to
      const createdAtMs = Date.parse(livestream.created_at ?? '')
      const held = sql.selectFrom('meetings').select('tenant_id').where('id', '=', meetingId)
      const heldBy = held.where('released_at', 'is', null).where('upstream', '=', upstream)
      const query = sql
        .updateTable('livestreams')
        .set({
          tenant_id: holder?.tenantId ?? from.tenantId,
          upstream,
          meeting_id: meetingId,
          status: livestream.status,
          snapshot: JSON.stringify({ ...livestream, meeting_id: meetingId }),
          ...(!Number.isNaN(createdAtMs) && { created_at: createdAtMs }),
          observed_at: nowMs,
          released_at: holder === null ? nowMs : null,
          runs_seen_at: null,
          proved_at: nowMs,
          revision: thisRevision()
        })
        .where(isSpelled(spelled(id)))
        .where('proved_at', 'is', null)
        .where('tenant_id', '=', from.tenantId)
        .where('upstream', '=', from.upstream)
        .where(raw<boolean>`meeting_id is not distinct from ${from.meetingId}`)
        .where(raw<boolean>`(${heldBy}) is not distinct from ${holder?.tenantId ?? null}`)
      return [revise, { ...query.compile(), changes: 1 }]
    }
  }
}
export type Misplaced = ReturnType<typeof misplacedIn>
