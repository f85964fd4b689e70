import { sql as raw } from 'kysely'
import { type Spelled, spelled } from '../../../domain/id.ts'
import type { ListedLivestream, Livestream, OwnedLivestream } from '../../../domain/livestream.ts'
import type { Page } from '../../../domain/values/paging.ts'
import { compileOnce } from '../../engine/engine.ts'
import type { LivestreamsTable, Sql } from '../../schema/database.ts'
import { isSpelled } from '../../schema/spelling.ts'
import type { Store } from '../../store.ts'

export interface LivestreamFilter extends Page {
  meetingId?: string | undefined
  excludeMeetings?: boolean | undefined
  status?: string | undefined
  createdFromMs?: number | undefined
  createdToMs?: number | undefined
  oldestFirst?: boolean | undefined
}

/** Livestream whose run was not over when it was seen last. */
export interface UnfinishedLivestream extends OwnedLivestream {
  readonly observedAtMs: number
  /** The revision of its row when it was read. */
  readonly revision: number
}

/** The states after which a run is over, so that a list needs no fresh look. */
const ended = ['IDLE', 'OFFLINE', 'ERRORED']

/** Status by the ledger where that knows that the last run is over, or goes on, and the livestream was seen otherwise. */
const statusNow = raw<string>`coalesce((select case
    when run.ended_at is null and livestreams.status not in (${raw.join(ended.map(one => raw.lit(one)))}) then null
    when run.ended_at is null then case run.status when 'live' then 'LIVE' else 'INVOKED' end
    when livestreams.status in (${raw.join(ended.map(one => raw.lit(one)))}) then null
    when run.status = 'errored' then 'ERRORED' else 'IDLE' end
  from broadcast_runs as run where run.livestream_id = livestreams.id and run.tenant_id = livestreams.tenant_id
  order by run.ordinal desc limit 1), livestreams.status)`

/** The tenant's livestreams; those whose meeting was taken from it are not among them. */
export function ownedBy(sql: Sql, tenantId: string) {
  return sql.selectFrom('livestreams').where('tenant_id', '=', tenantId).where('released_at', 'is', null)
}

export function toListed(row: LivestreamsTable): ListedLivestream {
  const seen = JSON.parse(row.snapshot) as Livestream
  const observed_at = new Date(row.observed_at).toISOString()
  return { ...seen, id: row.id, status: row.status, meeting_id: row.meeting_id, observed_at }
}

function toUnfinished(row: LivestreamsTable): UnfinishedLivestream {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    upstream: row.upstream,
    meetingId: row.meeting_id,
    status: row.status,
    isProved: row.proved_at !== null,
    observedAtMs: row.observed_at,
    revision: row.revision
  }
}

/** Livestreams of a tenant: one by its id, those of a state, and pages of them. */
export function livestreamLookUps({ engine, sql }: Store) {
  const findOne = compileOnce(({ tenantId, ...id }: Spelled & { tenantId: string }) =>
    ownedBy(sql, tenantId).select(['id', 'upstream', 'meeting_id', 'status', 'proved_at']).where(isSpelled(id))
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
    },

    /** Livestreams whose run was not over when they were seen last, the longest unseen first. */
    async unfinished(
      tenantId: string,
      filter: { meetingId?: string | undefined; limit: number }
    ): Promise<UnfinishedLivestream[]> {
      let wanted = ownedBy(sql, tenantId).where('status', 'not in', ended)
      if (filter.meetingId !== undefined) wanted = wanted.where('meeting_id', '=', filter.meetingId)
      const rows = await engine.read(wanted.selectAll().orderBy('revision').limit(filter.limit).compile())
      return rows.map(toUnfinished)
    },

    /** The same of all tenants, those that were seen longest ago first. */
    async unfinishedOfAll(): Promise<UnfinishedLivestream[]> {
      const all = sql.selectFrom('livestreams').selectAll().where('released_at', 'is', null)
      return (await engine.scan(all.where('status', 'not in', ended).orderBy('revision').compile())).map(toUnfinished)
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

    /** The tenant's livestreams, the newest first unless asked otherwise, and how many there are in all. The ledger has the last word on their runs. */
    async list(tenantId: string, filter: LivestreamFilter): Promise<{ items: ListedLivestream[]; total: number }> {
      const { meetingId, excludeMeetings, status, createdFromMs, createdToMs, oldestFirst, pageNo, perPage } = filter
      let wanted = ownedBy(sql, tenantId)
      if (meetingId !== undefined) wanted = wanted.where('meeting_id', '=', meetingId)
      if (excludeMeetings) wanted = wanted.where('meeting_id', 'is', null)
      if (status !== undefined) wanted = wanted.where(statusNow, '=', status)
      if (createdFromMs !== undefined) wanted = wanted.where('created_at', '>=', createdFromMs)
      if (createdToMs !== undefined) wanted = wanted.where('created_at', '<=', createdToMs)
      const page = wanted
        .selectAll()
        .select(statusNow.as('status'))
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
    }
  }
}
