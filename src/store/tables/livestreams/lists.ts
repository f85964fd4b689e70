import { sql as raw } from 'kysely'
import {
  isRunning,
  type ListedLivestream,
  livestreamStatuses,
  type OwnedLivestream
} from '../../../domain/livestream.ts'
import type { Page } from '../../../domain/values/paging.ts'
import type { Store } from '../../store.ts'
import { ownedBy, toListed } from './rows.ts'

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

const running = livestreamStatuses.filter(isRunning)

/** Livestreams of a tenant by their state, and pages of them. */
export function livestreamLists({ engine, sql }: Store) {
  return {
    /** Livestreams whose run was not over when they were seen last, the longest unseen first. */
    async unfinished(
      tenantId: string,
      filter: { meetingId?: string | undefined; limit: number }
    ): Promise<UnfinishedLivestream[]> {
      let wanted = ownedBy(sql, tenantId).where('status', 'not in', ended)
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

    /** Counts the tenant's livestreams that ran when they were seen last. INVOKED without a meeting waits for an encoder. */
    async countRunning(tenantId: string): Promise<number> {
      const wanted = ownedBy(sql, tenantId)
        .where('status', 'in', running)
        .where(where => where.or([where('status', '=', 'LIVE'), where('meeting_id', 'is not', null)]))
      const [count] = await engine.scan(wanted.select(raw<number>`count(*)`.as('total')).compile())
      return Number(count?.total ?? 0)
    },

    /** The tenant's livestreams, the newest first unless asked otherwise, and how many there are in all. */
    async list(tenantId: string, filter: LivestreamFilter): Promise<{ items: ListedLivestream[]; total: number }> {
      const { meetingId, excludeMeetings, status, createdFromMs, createdToMs, oldestFirst, pageNo, perPage } = filter
      let wanted = ownedBy(sql, tenantId)
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
    }
  }
}
