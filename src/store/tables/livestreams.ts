import { sql as raw } from 'kysely'
import { LRUCache } from 'lru-cache'
import { likelySpelling } from '../../domain/id.ts'
import {
  isRunning,
  type ListedLivestream,
  type Livestream,
  livestreamStatuses,
  type OwnedLivestream
} from '../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import { type Clock, systemClock } from '../../domain/values/clock.ts'
import type { Page } from '../../domain/values/paging.ts'
import { compileOnce } from '../engine/compile-once.ts'
import type { Statement } from '../engine/engine.ts'
import { type LivestreamsTable, nextRevision, thisRevision } from '../schema/database.ts'
import { asStored, isSpelled, type Spelled, spelled } from '../schema/spelling.ts'
import type { Store } from '../store.ts'

/** `isProved`: the answer that shows it names its meeting, or one of before has. */
export type LivestreamOwner = Omit<OwnedLivestream, 'status' | 'isProved'> & { isProved?: boolean }

export interface LivestreamFilter extends Page {
  meetingId?: string | undefined
  excludeMeetings?: boolean | undefined
  status?: string | undefined
  createdFromMs?: number | undefined
  createdToMs?: number | undefined
  oldestFirst?: boolean | undefined
}

/** Where a livestream is known to be, and whose it is or was. */
export interface KnownMeeting extends Pick<OwnedLivestream, 'tenantId' | 'upstream' | 'meetingId' | 'isProved'> {}

/** What is kept of a look at a livestream. */
interface Sighting extends Omit<LivestreamOwner, 'id' | 'isProved'>, Spelled {
  provedAtMs: number | null
  status: string
  snapshot: string
  createdAtMs: number
  nowMs: number
}

/** One whose run was not over when it was seen last. */
export interface UnfinishedLivestream extends OwnedLivestream {
  readonly observedAtMs: number
  /** The revision of its row when it was read. */
  readonly revision: number
}

/** The livestream of a meeting that was seen last, by whoever held the meeting then. */
export interface LastSeen
  extends Pick<UnfinishedLivestream, 'id' | 'tenantId' | 'upstream' | 'status' | 'observedAtMs'> {}

/** So many livestreams are remembered; of the others the wall clock tells for how long they were not seen. */
const maxSeen = 50_000

/** The states after which a run is over, so that a list needs no fresh look. */
const ended = ['IDLE', 'OFFLINE', 'ERRORED']

const running = livestreamStatuses.filter(isRunning)

/**
 * The table `livestreams`: who may see which livestream, and how it was seen last. No stream key ever comes here.
 *
 * The last look is the one written last: one process writes down what it sees as the answers come, one after the other. A
 * clock that was set back would call every look of the next hour older than what was seen before, and leave a run LIVE that is
 * over; so the order is that of the revisions, and `observed_at` is for people.
 */
export function livestreamsIn({ engine, sql }: Store, clock: Clock = systemClock) {
  /** By id, on the monotonic clock: when this process has seen it, or what it became, last. */
  const seen = new LRUCache<string, number>(upTo(maxSeen))
  const opened = { atMs: clock.now(), onMs: clock.monotonic() }
  const owned = (tenantId: string) =>
    sql.selectFrom('livestreams').where('tenant_id', '=', tenantId).where('released_at', 'is', null)

  const findOne = compileOnce(({ tenantId, ...id }: Spelled & { tenantId: string }) =>
    owned(tenantId).select(['id', 'upstream', 'meeting_id', 'status', 'proved_at']).where(isSpelled(id))
  )

  const findMeeting = compileOnce((id: Spelled) =>
    sql.selectFrom('livestreams').select(['tenant_id', 'upstream', 'meeting_id', 'proved_at']).where(isSpelled(id))
  )

  // In the order of an index, so that it takes no longer when a meeting has had many.
  const findLast = compileOnce(({ id, tenantId, upstream }: PlacedMeeting & { tenantId?: string }) =>
    (tenantId === undefined ? sql.selectFrom('livestreams') : owned(tenantId))
      .selectAll()
      .where('meeting_id', '=', id)
      .where('upstream', '=', upstream)
      .orderBy(raw`status in ('INVOKED', 'LIVE')`, 'desc')
      .orderBy('revision', 'desc')
      .orderBy('created_at', 'desc')
      .limit(1)
  )

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
      // What is seen late, after the meeting was taken away, stays hidden.
      released_at:
        meetingId === null
          ? null
          : raw<number | null>`case when ${holds(tenantId, meetingId)} then null else ${nowMs} end`,
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

    /** The meeting that a livestream is known to be of, whichever tenant's: null for one without a meeting. Null when nobody knows the id. */
    async meetingOf(id: string): Promise<KnownMeeting | null> {
      const [row] = await engine.read(findMeeting(spelled(id)))
      if (row === undefined) return null
      const { tenant_id: tenantId, upstream, meeting_id: meetingId } = row
      return { tenantId, upstream, meetingId, isProved: row.proved_at !== null }
    },

    /**
     * The livestream of this meeting that was seen last at its vendor account (the newest of those seen at once), or null when none ever was. One
     * that was running comes first: a later look at an older one must not hide it.
     */
    async lastOfMeeting({ id, tenantId, upstream }: OwnedMeeting): Promise<ListedLivestream | null> {
      const [row] = await engine.read(findLast({ id, tenantId, upstream }))
      return row === undefined ? null : toListed(row)
    },

    /** The same, whoever saw it: the meeting may have been another tenant's. For questions to the vendor alone, since it is not this tenant's to see. */
    async lastSeenIn({ id: meetingId, upstream: at }: PlacedMeeting): Promise<LastSeen | null> {
      const [row] = await engine.read(findLast({ id: meetingId, upstream: at }))
      if (row === undefined) return null
      const { id, tenant_id: tenantId, upstream, status, observed_at: observedAtMs } = row
      return { id, tenantId, upstream, status, observedAtMs }
    },

    /** Those whose run was not over when they were seen last, the longest unseen first. */
    async unfinished(
      tenantId: string,
      filter: { meetingId?: string | undefined; limit: number }
    ): Promise<UnfinishedLivestream[]> {
      let wanted = owned(tenantId).where('status', 'not in', ended)
      if (filter.meetingId !== undefined) wanted = wanted.where('meeting_id', '=', filter.meetingId)
      const rows = await engine.read(wanted.selectAll().orderBy('revision').limit(filter.limit).compile())
      return rows.map(row => ({
        id: row.id,
        tenantId,
        upstream: row.upstream,
        meetingId: row.meeting_id,
        status: row.status,
        isProved: row.proved_at !== null,
        observedAtMs: row.observed_at,
        revision: row.revision
      }))
    },

    /** The meetings of all tenants, past ones too, whose last seen run was not over, with its status. For the CLI only. */
    async unfinishedMeetings(): Promise<Map<string, string>> {
      const rows = await engine.read(
        sql
          .selectFrom('livestreams')
          .select(['meeting_id', 'status'])
          .where('status', 'not in', ended)
          .where('meeting_id', 'is not', null)
          .orderBy('revision')
          .compile()
      )
      return new Map(rows.map(row => [String(row.meeting_id), row.status]))
    },

    /** How many of the tenant's were running when they were seen last. INVOKED without a meeting: waits for an encoder. */
    async countRunning(tenantId: string): Promise<number> {
      const wanted = owned(tenantId)
        .where('status', 'in', running)
        .where(where => where.or([where('status', '=', 'LIVE'), where('meeting_id', 'is not', null)]))
      const [count] = await engine.scan(wanted.select(raw<number>`count(*)`.as('total')).compile())
      return Number(count?.total ?? 0)
    },

    /** The tenant's livestreams, the newest first unless asked otherwise, and how many there are in all. */
    async list(tenantId: string, filter: LivestreamFilter): Promise<{ items: ListedLivestream[]; total: number }> {
      const { meetingId, excludeMeetings, status, createdFromMs, createdToMs, oldestFirst, pageNo, perPage } = filter
      let wanted = owned(tenantId)
      if (meetingId !== undefined) wanted = wanted.where('meeting_id', '=', meetingId)
      if (excludeMeetings) wanted = wanted.where('meeting_id', 'is', null)
      if (status !== undefined) wanted = wanted.where('status', '=', status)
      if (createdFromMs !== undefined) wanted = wanted.where('created_at', '>=', createdFromMs)
      if (createdToMs !== undefined) wanted = wanted.where('created_at', '<=', createdToMs)
      const page = wanted
        .selectAll()
        .orderBy('created_at', oldestFirst ? 'asc' : 'desc')
        .orderBy('id')
        .limit(perPage)
        .offset((pageNo - 1) * perPage)
      const [rows, [count]] = await Promise.all([
        engine.scan(page.compile()),
        engine.scan(wanted.select(raw<number>`count(*)`.as('total')).compile())
      ])
      const items = rows.map(toListed)
      return { items, total: Number(count?.total ?? 0) }
    },

    /**
     * Statements that keep how a livestream was seen last, and make it known to the tenant when it is new. A livestream
     * follows its meeting: when the vendor shows a known one in a meeting that another tenant holds by now, it changes hands.
     */
    observed(owner: LivestreamOwner, livestream: Livestream, nowMs: number): Statement[] {
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
    },

    /** Statements that make a new one without a meeting the tenant's; nothing is written when it is known already, whoever's it is. */
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
     * For how long it was not seen, in ms: by the monotonic clock, where this process has seen it. For what an earlier process has
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

    async observe(owner: LivestreamOwner, livestream: Livestream, nowMs: number): Promise<void> {
      await engine.write(this.observed(owner, livestream, nowMs))
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
export type Livestreams = ReturnType<typeof livestreamsIn>

function holds(tenantId: string, meetingId: string) {
  return raw<boolean>`exists (select 1 from meetings m where m.id = ${meetingId} and m.tenant_id = ${tenantId} and m.released_at is null)`
}

function isAt(upstream: string, meetingId: string) {
  return raw<boolean>`(select m.upstream from meetings m where m.id = ${meetingId}) = ${upstream}`
}

function toListed(row: LivestreamsTable): ListedLivestream {
  const seen = JSON.parse(row.snapshot) as Livestream
  const observed_at = new Date(row.observed_at).toISOString()
  return { ...seen, id: row.id, status: row.status, meeting_id: row.meeting_id, observed_at }
}
