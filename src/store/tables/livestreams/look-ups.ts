import { sql as raw } from 'kysely'
import type { ListedLivestream, OwnedLivestream } from '../../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../../domain/meeting.ts'
import { compileOnce } from '../../engine/compile-once.ts'
import { isSpelled, type Spelled, spelled } from '../../schema/spelling.ts'
import type { Store } from '../../store.ts'
import type { UnfinishedLivestream } from './lists.ts'
import { ownedBy, toListed } from './rows.ts'

/** Known place of a livestream, with its owner of now or before. */
export interface KnownMeeting
  extends Pick<OwnedLivestream, 'id' | 'tenantId' | 'upstream' | 'meetingId' | 'isProved'> {}

/** The livestream of a meeting that was seen last, for the tenant that held the meeting then. */
export interface LastSeen
  extends Pick<UnfinishedLivestream, 'id' | 'tenantId' | 'upstream' | 'status' | 'observedAtMs'> {}

/** Single livestreams by their id or by their meeting. */
export function livestreamLookUps({ engine, sql }: Store) {
  const findOne = compileOnce(({ tenantId, ...id }: Spelled & { tenantId: string }) =>
    ownedBy(sql, tenantId).select(['id', 'upstream', 'meeting_id', 'status', 'proved_at']).where(isSpelled(id))
  )

  const findMeeting = compileOnce((id: Spelled) =>
    sql
      .selectFrom('livestreams')
      .select(['id', 'tenant_id', 'upstream', 'meeting_id', 'proved_at'])
      .where(isSpelled(id))
  )

  // In the order of an index, so that it takes no longer when a meeting has had many.
  const findLast = compileOnce(({ id, tenantId, upstream }: PlacedMeeting & { tenantId?: string }) =>
    (tenantId === undefined ? sql.selectFrom('livestreams') : ownedBy(sql, tenantId))
      .selectAll()
      .where('meeting_id', '=', id)
      .where('upstream', '=', upstream)
      .orderBy(raw`status in ('INVOKED', 'LIVE')`, 'desc')
      .orderBy('revision', 'desc')
      .orderBy('created_at', 'desc')
      .limit(1)
  )

  return {
    /** With its id as it is stored. Null when it doesn't exist *or is not the tenant's*, also after its meeting was taken from the tenant. */
    async find(tenantId: string, id: string): Promise<OwnedLivestream | null> {
      const [row] = await engine.read(findOne({ tenantId, ...spelled(id) }))
      return row === undefined
        ? null
        : {
            id: row.id,
            tenantId,
            upstream: row.upstream,
            meetingId: row.meeting_id,
            status: row.status,
            isProved: row.proved_at !== null
          }
    },

    /** The meeting that a livestream is known to be of, whichever tenant's: null for one without a meeting. With its id as it is stored. Null when nobody knows the id. */
    async meetingOf(id: string): Promise<KnownMeeting | null> {
      const [row] = await engine.read(findMeeting(spelled(id)))
      if (row === undefined) return null
      const { tenant_id: tenantId, upstream, meeting_id: meetingId } = row
      return { id: row.id, tenantId, upstream, meetingId, isProved: row.proved_at !== null }
    },

    /**
     * The livestream of this meeting that was seen last at its vendor account (the newest of those seen at once), or null when none ever was. One
     * that was running comes first: a later look at an older one must not hide it.
     */
    async lastOfMeeting({ id, tenantId, upstream }: OwnedMeeting): Promise<ListedLivestream | null> {
      const [row] = await engine.read(findLast({ id, tenantId, upstream }))
      return row === undefined ? null : toListed(row)
    },

    /** The same, also when another tenant held the meeting. For questions to the vendor alone: this tenant must not see it. */
    async lastSeenIn({ id: meetingId, upstream: at }: PlacedMeeting): Promise<LastSeen | null> {
      const [row] = await engine.read(findLast({ id: meetingId, upstream: at }))
      if (row === undefined) return null
      const { id, tenant_id: tenantId, upstream, status, observed_at: observedAtMs } = row
      return { id, tenantId, upstream, status, observedAtMs }
    },

    /** Ids that changed since `revision`, for the memory that follows. */
    async changedSince(revision: number): Promise<{ revision: number; id: string }[]> {
      return engine.read(
        sql
          .selectFrom('livestreams')
          .select(['id', 'revision'])
          .where('revision', '>', revision)
          .orderBy('revision')
          .compile()
      )
    }
  }
}
