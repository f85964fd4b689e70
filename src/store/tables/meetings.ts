import { sql as raw } from 'kysely'
import { isUuid, likelySpelling, type Spelled, spelled } from '../../domain/id.ts'
import type { ListedMeeting, Meeting, OwnedMeeting } from '../../domain/meeting.ts'
import type { Page } from '../../domain/values/paging.ts'
import { compileOnce, type Statement } from '../engine/engine.ts'
import type { MeetingsTable } from '../schema/database.ts'
import { areSpelled, isSpelled } from '../schema/spelling.ts'
import type { Store } from '../store.ts'
import { meetingOwnership } from './meetings/ownership.ts'

export interface MeetingFilter extends Page {
  /** Part of the id or the title, in any case. */
  search?: string | undefined
  /** As it was seen last: one that was never looked at has none. */
  status?: 'ACTIVE' | 'INACTIVE' | undefined
  createdFromMs?: number | undefined
  createdToMs?: number | undefined
}

export interface MeetingRow {
  readonly id: string
  readonly upstream: string
  readonly observedAtMs: number | null
  readonly meeting: ListedMeeting
}

/** A query names no more ids than this. */
const idsAtOnce = 500

/** The table `meetings`: who owns what, and how it was seen last. A released meeting belongs to nobody; its row stays. */
export function meetingsIn(store: Store) {
  const { engine, sql } = store
  const owned = (tenantId: string) =>
    sql.selectFrom('meetings').where('tenant_id', '=', tenantId).where('released_at', 'is', null)

  const findOne = compileOnce(({ tenantId, ...id }: Spelled & { tenantId: string }) =>
    owned(tenantId).select(['id', 'upstream']).where(isSpelled(id))
  )

  return {
    /** With its id as it is stored. Null when it doesn't exist *or is not the tenant's*. */
    async find(tenantId: string, id: string): Promise<OwnedMeeting | null> {
      const [row] = await engine.read(findOne({ tenantId, ...spelled(id) }))
      return row === undefined ? null : { id: row.id, tenantId, upstream: row.upstream }
    },

    /** Each of these ids once, as it is stored for any tenant of now or before; an id that was never seen as a vendor would write it. */
    async asStored(ids: string[]): Promise<string[]> {
      const likely = [...new Set(ids.map(likelySpelling))]
      const uuids = likely.filter(isUuid)
      const stored = new Map<string, string>()
      for (let from = 0; from < uuids.length; from += idsAtOnce) {
        const query = sql
          .selectFrom('meetings')
          .select('id')
          .where(areSpelled(uuids.slice(from, from + idsAtOnce)))
        for (const { id } of await engine.scan(query.compile())) stored.set(likelySpelling(id), id)
      }
      return likely.map(id => stored.get(id) ?? id)
    },

    /** The tenant's meetings, the newest first, and how many there are in all. */
    async list(tenantId: string, filter: MeetingFilter): Promise<{ rows: MeetingRow[]; total: number }> {
      const { search, status, createdFromMs, createdToMs, pageNo, perPage } = filter
      let wanted = owned(tenantId)
      if (createdFromMs !== undefined) wanted = wanted.where('created_at', '>=', createdFromMs)
      if (createdToMs !== undefined) wanted = wanted.where('created_at', '<=', createdToMs)
      if (search !== undefined) {
        const like = `%${search.replace(/[\\%_]/g, '\\$&')}%`
        wanted = wanted.where(
          raw<boolean>`(in_capitals(id) like in_capitals(${like}) escape '\\' or in_capitals(coalesce(title, '')) like in_capitals(${like}) escape '\\')`
        )
      }
      // In the text of a snapshot nothing else looks so: quotes within a title have a backslash before them.
      if (status !== undefined) wanted = wanted.where('snapshot', 'like', `%"status":"${status}"%`)
      const page = wanted
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(perPage)
        .offset((pageNo - 1) * perPage)
      const [rows, [count]] = await Promise.all([
        engine.scan(page.compile()),
        engine.scan(wanted.select(raw<number>`count(*)`.as('total')).compile())
      ])
      return { rows: rows.map(toRow), total: Number(count?.total ?? 0) }
    },

    /** Meetings that came last to their tenants, for the memory of a gateway that starts. */
    async newest(limit: number): Promise<OwnedMeeting[]> {
      const all = sql.selectFrom('meetings').select(['id', 'tenant_id', 'upstream']).where('released_at', 'is', null)
      const rows = await engine.read(all.orderBy('revision', 'desc').limit(limit).compile())
      return rows.map(row => ({ id: row.id, tenantId: row.tenant_id, upstream: row.upstream }))
    },

    /** All meetings that are assigned, for the CLI. */
    async listAll(tenantId?: string): Promise<OwnedMeeting[]> {
      const all = sql
        .selectFrom('meetings')
        .select(['id', 'tenant_id', 'upstream'])
        .where('released_at', 'is', null)
        .orderBy('tenant_id')
        .orderBy('id')
      const rows = await engine.scan((tenantId === undefined ? all : all.where('tenant_id', '=', tenantId)).compile())
      return rows.map(row => ({ id: row.id, tenantId: row.tenant_id, upstream: row.upstream }))
    },

    /** The meeting's owner; null when it has none. For the CLI only: a tenant must not learn of it. */
    async ownerOf(id: string): Promise<OwnedMeeting | null> {
      const held = sql.selectFrom('meetings').selectAll().where('released_at', 'is', null)
      const [row] = await engine.read(held.where(isSpelled(spelled(id))).compile())
      return row === undefined ? null : { id: row.id, tenantId: row.tenant_id, upstream: row.upstream }
    },

    /** The upstream that has the meeting, assigned or not; null when it was never seen. A tenant must not learn of it. */
    async upstreamOf(id: string): Promise<string | null> {
      const known = sql
        .selectFrom('meetings')
        .select('upstream')
        .where(isSpelled(spelled(id)))
      const [row] = await engine.read(known.compile())
      return row?.upstream ?? null
    },

    /** Statements that keep how the meeting was seen last. The owner is not changed by it. */
    observed(tenantId: string, meeting: Meeting, nowMs: number): Statement[] {
      const query = sql
        .updateTable('meetings')
        .set({ title: meeting.title ?? null, snapshot: JSON.stringify(meeting), observed_at: nowMs })
        .where(isSpelled(spelled(meeting.id)))
        .where('tenant_id', '=', tenantId)
      return [query.compile()]
    },

    /** Statements that keep when the vendor was asked about a meeting that it doesn't have; what was seen before stays. */
    missing(tenantId: string, id: string, nowMs: number): Statement[] {
      const query = sql.updateTable('meetings').set({ observed_at: nowMs }).where('id', '=', id)
      return [query.where('tenant_id', '=', tenantId).compile()]
    },

    /** Ids that changed since `revision`, for the memory that follows. */
    async changedSince(revision: number): Promise<{ revision: number; id: string }[]> {
      return engine.read(
        sql
          .selectFrom('meetings')
          .select(['id', 'revision'])
          .where('revision', '>', revision)
          .orderBy('revision')
          .compile()
      )
    },

    ...meetingOwnership(store)
  }
}
export type Meetings = ReturnType<typeof meetingsIn>

function toRow(row: MeetingsTable): MeetingRow {
  const seen = row.snapshot === null ? { id: row.id } : (JSON.parse(row.snapshot) as Meeting)
  const observed_at = row.observed_at === null ? null : new Date(row.observed_at).toISOString()
  return {
    id: row.id,
    upstream: row.upstream,
    observedAtMs: row.observed_at,
    meeting: { ...seen, id: row.id, observed_at }
  }
}
