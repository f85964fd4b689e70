import { sql as raw } from 'kysely'
import { LRUCache } from 'lru-cache'
import { likelySpelling, type Spelled, spelled } from '../../../domain/id.ts'
import type { ListedLivestream, Livestream, OwnedLivestream } from '../../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../../domain/meeting.ts'
import { upTo } from '../../../domain/values/cache-size.ts'
import type { Clock } from '../../../domain/values/clock.ts'
import { compileOnce, type Statement } from '../../engine/engine.ts'
import { nextRevision, thisRevision } from '../../schema/database.ts'
import { asStored, isSpelled } from '../../schema/spelling.ts'
import type { Store } from '../../store.ts'
import { ownedBy, toListed, type UnfinishedLivestream } from './look-ups.ts'

/** `isProved`: the answer that shows it names its meeting, or one of before has. */
export type LivestreamOwner = Omit<OwnedLivestream, 'status' | 'isProved'> & { isProved?: boolean }

/** Known place of a livestream, with its owner of now or before. */
export interface KnownMeeting
  extends Pick<OwnedLivestream, 'id' | 'tenantId' | 'upstream' | 'meetingId' | 'isProved'> {}

/** The livestream of a meeting that was seen last, for the tenant that held the meeting then. */
export interface LastSeen
  extends Pick<UnfinishedLivestream, 'id' | 'tenantId' | 'upstream' | 'status' | 'observedAtMs'> {}

/** Columns that a look at a livestream fills in. */
interface Sighting extends Omit<LivestreamOwner, 'id' | 'isProved'>, Spelled {
  provedAtMs: number | null
  status: string
  snapshot: string
  createdAtMs: number
  nowMs: number
}

/** Number of livestreams that are remembered; for others the wall clock tells how long they were not seen. */
const maxSeen = 50_000

/** Looks at livestreams: keeps what the vendor has shown, and tells which was seen last, how long ago, and where. */
export function livestreamSightings({ engine, sql }: Store, clock: Clock) {
  /** By id, on the monotonic clock: when this process has seen it, or what it became, last. */
  const seen = new LRUCache<string, number>(upTo(maxSeen))
  const opened = { atMs: clock.now(), onMs: clock.monotonic() }

  const revise = nextRevision(sql)

  const upsert = compileOnce((sighting: Sighting) => {
    const { tenantId, upstream, meetingId, provedAtMs, status, snapshot, createdAtMs, nowMs } = sighting
    const isThere = raw<boolean>`livestreams.meeting_id is not distinct from ${meetingId}`
    const values = {
      tenant_id: tenantId,
      upstream,
      meeting_id: meetingId,
      status,
      snapshot,
      observed_at: nowMs,
      // A livestream that is seen late, after the meeting was taken away, stays hidden.
      released_at:
        meetingId === null
          ? null
          : raw<number | null>`case when ${holds(tenantId, meetingId)} then null else cast(${nowMs} as bigint) end`,
      revision: thisRevision()
    }
    return sql
      .insertInto('livestreams')
      .values({
        ...values,
        id: asStored('livestreams', sighting),
        created_at: createdAtMs,
        proved_at: provedAtMs
      })
      .onConflict(conflict =>
        conflict
          .column('id')
          .doUpdateSet({
            ...values,
            proved_at: raw<
              number | null
            >`case when ${isThere} then coalesce(livestreams.proved_at, ${provedAtMs}) else ${provedAtMs} end`
          })
          .where(where =>
            where.or([
              // A proved livestream stays in its meeting, and a vendor account cannot move another account's livestream.
              where.and([
                where('livestreams.tenant_id', '=', tenantId),
                where('livestreams.upstream', '=', upstream),
                where.or([where('livestreams.proved_at', 'is', null), isThere])
              ]),
              where.and([
                where('livestreams.meeting_id', '=', meetingId),
                holds(tenantId, meetingId ?? ''),
                isAt(upstream, meetingId ?? '')
              ])
            ])
          )
      )
  })

  /**
   * Statements that keep how a livestream was seen last, and make it known to the tenant when it is new. A livestream
   * follows its meeting: when the vendor shows a known one in a meeting that another tenant holds by now, it changes hands.
   */
  const observed = (owner: LivestreamOwner, livestream: Livestream, nowMs: number): Statement[] => {
    const { id, tenantId, upstream, meetingId, isProved = false } = owner
    const createdAtMs = livestream.created_at === undefined ? Number.NaN : Date.parse(livestream.created_at)
    const sighting = upsert({
      ...{ ...spelled(id), tenantId, upstream, meetingId, nowMs },
      provedAtMs: isProved ? nowMs : null,
      status: livestream.status,
      snapshot: JSON.stringify({ ...livestream, meeting_id: meetingId }),
      createdAtMs: Number.isNaN(createdAtMs) ? nowMs : createdAtMs
    })
    seen.set(likelySpelling(id), clock.monotonic())
    return [revise, sighting]
  }

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
    observed,

    /** Statements that make a new one without a meeting the tenant's; nothing is written when it is known already, to any tenant. */
    created(owner: LivestreamOwner, livestream: Livestream, nowMs: number): Statement[] {
      const createdAtMs = Date.parse(livestream.created_at ?? '')
      const query = sql
        .insertInto('livestreams')
        .values({
          id: asStored('livestreams', spelled(owner.id)),
          tenant_id: owner.tenantId,
          upstream: owner.upstream,
          meeting_id: null,
          status: livestream.status,
          snapshot: JSON.stringify(livestream),
          created_at: Number.isNaN(createdAtMs) ? nowMs : createdAtMs,
          observed_at: nowMs,
          released_at: null,
          revision: thisRevision()
        })
        .onConflict(conflict => conflict.column('id').doNothing())
        .returning('id')
      return [revise, { ...query.compile(), changes: 1 }]
    },

    /** The vendor doesn't have it any more: its run is over, unless it was seen again since its row was read. */
    async gone({ id, tenantId, revision }: UnfinishedLivestream, nowMs: number): Promise<void> {
      const query = sql
        .updateTable('livestreams')
        .set({ status: 'OFFLINE', observed_at: nowMs, revision: thisRevision() })
        .where('id', '=', id)
        .where('tenant_id', '=', tenantId)
        .where('revision', '=', revision)
      await engine.write([revise, query.compile()])
    },

    /**
     * Time since it was seen last, in ms: by the monotonic clock, where this process has seen it. For what an earlier process has
     * seen it is the wall clock, as it was when this process began. If that had been set back by then, it is the time since this
     * process began.
     */
    unseenForMs({ id, observedAtMs }: Pick<UnfinishedLivestream, 'id' | 'observedAtMs'>): number {
      const onMs = seen.get(likelySpelling(id))
      if (onMs !== undefined) return clock.monotonic() - onMs
      const passedMs = clock.monotonic() - opened.onMs
      const ageMs = opened.atMs + passedMs - observedAtMs
      return ageMs < 0 ? passedMs : ageMs
    },

    /** The meeting that a livestream is known to be of, whichever tenant's: null for one without a meeting. With its id as it is stored. Null when nobody knows the id. */
    async meetingOf(id: string): Promise<KnownMeeting | null> {
      const [row] = await engine.read(findMeeting(spelled(id)))
      if (row === undefined) return null
      const { tenant_id: tenantId, upstream, meeting_id: meetingId } = row
      return { id: row.id, tenantId, upstream, meetingId, isProved: row.proved_at !== null }
    },

    /** Its status when it was seen last at this vendor account, whoever has it; null when nobody knows it. For the gateway's own questions. */
    async statusOf(id: string, upstream: string): Promise<string | null> {
      const query = sql
        .selectFrom('livestreams')
        .select('status')
        .where(isSpelled(spelled(id)))
      const [row] = await engine.read(query.where('upstream', '=', upstream).compile())
      return row?.status ?? null
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

    async observe(owner: LivestreamOwner, livestream: Livestream, nowMs: number): Promise<void> {
      await engine.write(observed(owner, livestream, nowMs))
    },

    /** An answer has named its meeting, or said that it has none, and shows it as before. */
    async prove({ id, tenantId, meetingId }: LivestreamOwner, nowMs: number): Promise<void> {
      const query = sql
        .updateTable('livestreams')
        .set({ proved_at: nowMs })
        .where(isSpelled(spelled(id)))
        .where('tenant_id', '=', tenantId)
        .where(raw<boolean>`meeting_id is not distinct from ${meetingId}`)
        .where('proved_at', 'is', null)
      await engine.write([query.compile()])
    }
  }
}

function holds(tenantId: string, meetingId: string) {
  return raw<boolean>`exists (select 1 from meetings m where m.id = ${meetingId} and m.tenant_id = ${tenantId} and m.released_at is null)`
}

function isAt(upstream: string, meetingId: string) {
  return raw<boolean>`(select m.upstream from meetings m where m.id = ${meetingId}) = ${upstream}`
}
