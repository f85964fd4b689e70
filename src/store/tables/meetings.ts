import { sql as raw } from 'kysely'
import { isUuid, likelySpelling } from '../../domain/id.ts'
import type { ListedMeeting, Meeting, OwnedMeeting } from '../../domain/meeting.ts'
import type { Page } from '../../domain/values/paging.ts'
import { compileOnce } from '../engine/compile-once.ts'
import { type Statement, writeIf } from '../engine/engine.ts'
import { type MeetingsTable, nextRevision, thisRevision } from '../schema/database.ts'
import { areSpelled, asStored, isSpelled, type Spelled, spelled } from '../schema/spelling.ts'
import type { Store } from '../store.ts'

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

/** Why a meeting could not be assigned: `taken` by another tenant. */
export type Assigned = 'assigned' | 'unchanged' | 'taken'

/** The table `meetings`: who owns what, and how it was seen last. A released meeting belongs to nobody; its row stays. */
export function meetingsIn({ engine, sql }: Store) {
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

    /** Each of these ids once, as it is stored, whoever has the meeting or had it; and one that was never seen as a vendor would write it. */
    async asStored(ids: string[]): Promise<string[]> {
      const likely = [...new Set(ids.map(likelySpelling))]
      const uuids = likely.filter(isUuid)
      const stored = new Map<string, string>()
      for (let from = 0; from < uuids.length; from += assignAtOnce) {
        const query = sql
          .selectFrom('meetings')
          .select('id')
          .where(areSpelled(uuids.slice(from, from + assignAtOnce)))
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
          raw<boolean>`(upper(id) like upper(${like}) escape '\\' or upper(coalesce(title, '')) like upper(${like}) escape '\\')`
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

    /** Those that came last to their tenants, for the memory of a gateway that starts. */
    async newest(limit: number): Promise<OwnedMeeting[]> {
      const all = sql.selectFrom('meetings').selectAll().where('released_at', 'is', null)
      const rows = await engine.read(all.orderBy('revision', 'desc').limit(limit).compile())
      return rows.map(row => ({ id: row.id, tenantId: row.tenant_id, upstream: row.upstream }))
    },

    /** All meetings that are assigned, for the CLI. */
    async listAll(tenantId?: string): Promise<OwnedMeeting[]> {
      const all = sql
        .selectFrom('meetings')
        .selectAll()
        .where('released_at', 'is', null)
        .orderBy('tenant_id')
        .orderBy('id')
      const rows = await engine.scan((tenantId === undefined ? all : all.where('tenant_id', '=', tenantId)).compile())
      return rows.map(row => ({ id: row.id, tenantId: row.tenant_id, upstream: row.upstream }))
    },

    /** The meeting's owner, whoever it is; null when it has none. For the CLI only: a tenant must not learn of it. */
    async ownerOf(id: string): Promise<OwnedMeeting | null> {
      const held = sql.selectFrom('meetings').selectAll().where('released_at', 'is', null)
      const [row] = await engine.read(held.where(isSpelled(spelled(id))).compile())
      return row === undefined ? null : { id: row.id, tenantId: row.tenant_id, upstream: row.upstream }
    },

    /** The upstream that has the meeting, whoever owns it or did; null when it was never seen. A tenant must not learn of it. */
    async upstreamOf(id: string): Promise<string | null> {
      const known = sql
        .selectFrom('meetings')
        .select('upstream')
        .where(isSpelled(spelled(id)))
      const [row] = await engine.read(known.compile())
      return row?.upstream ?? null
    },

    /** Statements that make the meeting the tenant's, as seen just now. Together with the outcome of its creation. */
    created(owner: OwnedMeeting, meeting: Meeting, nowMs: number): Statement[] {
      const seen = { title: meeting.title ?? null, snapshot: JSON.stringify(meeting), observed_at: nowMs }
      return [
        nextRevision(sql),
        { ...assignment(owner, nowMs, { ...seen, upstream: owner.upstream }, true), changes: 1 }
      ]
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

    /**
     * Gives meetings to a tenant; those that another tenant holds are left and named.
     * @param upstream has those that had no owner before; the others stay where they are known to be
     * @param record belongs into the same transaction, for those that are assigned by it
     * @param isThere all of them are at that upstream, whatever is known
     * @param ids as they are stored, where they are; what came in another case was given to `asStored` first
     */
    async assign(
      tenantId: string,
      upstream: string,
      ids: string[],
      nowMs: number,
      record: (assigned: string[]) => Statement[] = () => [],
      isThere = false
    ): Promise<Map<string, Assigned>> {
      const result = new Map<string, Assigned>()
      const wanted = [...new Map(ids.map(id => [likelySpelling(id), id])).values()]
      for (let from = 0; from < wanted.length; ) {
        const part = wanted.slice(from, from + assignAtOnce)
        const owners = await ownersOf(part)
        const free = part.filter(id => !owners.has(likelySpelling(id)))
        const statements = free.flatMap(id => [
          { ...assignment({ id, tenantId, upstream }, nowMs, isThere ? { upstream } : {}), changes: 1 },
          returnLivestreams(tenantId, id)
        ])
        if (free.length > 0 && !(await writeIf(engine, [nextRevision(sql), ...statements, ...record(free)]))) {
          continue // somebody else was faster with one of them: look again
        }
        for (const id of part) {
          const owner = owners.get(likelySpelling(id))
          result.set(id, owner === undefined ? 'assigned' : owner === tenantId ? 'unchanged' : 'taken')
        }
        from += assignAtOnce
      }
      return result
    },

    /**
     * Takes a meeting, and with it its livestreams, from its tenant. False when nobody has it.
     * @param also belongs into the same transaction
     */
    async release(id: string, nowMs: number, ...also: Statement[]): Promise<boolean> {
      const meeting = sql
        .updateTable('meetings')
        .set({ released_at: nowMs, revision: thisRevision() })
        .where('id', '=', id)
        .where('released_at', 'is', null)
      const livestreams = sql
        .updateTable('livestreams')
        .set({ released_at: nowMs, revision: thisRevision() })
        .where('meeting_id', '=', id)
        .where('released_at', 'is', null)
      return writeIf(engine, [nextRevision(sql), { ...meeting.compile(), changes: 1 }, livestreams.compile(), ...also])
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
    }
  }

  /** By the likely spelling of its id: one that is stored in another case is taken all the same. */
  async function ownersOf(ids: string[]): Promise<Map<string, string>> {
    const held = sql.selectFrom('meetings').select(['id', 'tenant_id']).where('released_at', 'is', null)
    const uuids = ids.map(likelySpelling).filter(isUuid)
    const others = ids.filter(id => !isUuid(id))
    const queries = [
      ...(uuids.length > 0 ? [held.where(areSpelled(uuids))] : []),
      ...(others.length > 0 ? [held.where('id', 'in', others)] : [])
    ]
    const rows = await Promise.all(queries.map(query => engine.read(query.compile())))
    return new Map(rows.flat().map(row => [likelySpelling(row.id), row.tenant_id]))
  }

  /** Takes effect, and returns a row, only when nobody holds the meeting. */
  function assignment(
    { id, tenantId, upstream }: OwnedMeeting,
    nowMs: number,
    seen: Partial<MeetingsTable> = {},
    isOwn = false
  ) {
    const values = { tenant_id: tenantId, created_at: nowMs, released_at: null, ...seen }
    return sql
      .insertInto('meetings')
      .values({ ...values, id: asStored('meetings', spelled(id)), upstream, revision: thisRevision() })
      .onConflict(conflict =>
        conflict
          .column('id')
          .doUpdateSet({ ...values, revision: thisRevision() })
          // A tenant may have found its new meeting before its creation is written down.
          .where(where =>
            where.or([
              where('meetings.released_at', 'is not', null),
              ...(isOwn ? [where('meetings.tenant_id', '=', tenantId)] : [])
            ])
          )
      )
      .returning('id')
      .compile()
  }

  /** A tenant that gets its meeting back gets back what it had seen in it. */
  function returnLivestreams(tenantId: string, meetingId: string) {
    return sql
      .updateTable('livestreams')
      .set({ released_at: null, revision: thisRevision() })
      .where('meeting_id', '=', meetingId)
      .where('tenant_id', '=', tenantId)
      .where('released_at', 'is not', null)
      .where(
        raw<boolean>`exists (select 1 from meetings m where m.id = ${meetingId} and m.tenant_id = ${tenantId} and m.released_at is null)`
      )
      .compile()
  }
}
export type Meetings = ReturnType<typeof meetingsIn>

/** So many meetings a transaction, so that a file of thousands doesn't hold the store for long. */
const assignAtOnce = 500

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
