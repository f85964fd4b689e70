import { sql as raw } from 'kysely'
import { type Analytics, type AnalyticsRange, type DayAnalytics, largestFigure } from '../../domain/analytics.ts'
import { isRunning, livestreamStatuses, type OwnedLivestream } from '../../domain/livestream.ts'
import type { Statement } from '../engine/engine.ts'
import type { Store } from '../store.ts'

const dayMs = 86_400_000

/** Figures of one tenant, from the runs that it was shown and whose livestreams it still has. */
export function analyticsIn({ engine, sql }: Store) {
  function runs(tenantId: string, { fromMs, toMs }: AnalyticsRange) {
    let wanted = sql
      .selectFrom('livestream_sessions')
      .innerJoin('livestreams', join =>
        join
          .onRef('livestreams.id', '=', 'livestream_sessions.livestream_id')
          .onRef('livestreams.tenant_id', '=', 'livestream_sessions.tenant_id')
      )
      .where('livestream_sessions.tenant_id', '=', tenantId)
      .where('livestreams.released_at', 'is', null)
    if (fromMs !== undefined) wanted = wanted.where('began_at', '>=', fromMs)
    if (toMs !== undefined) wanted = wanted.where('began_at', '<=', toMs)
    return wanted.select([
      raw<number>`count(*)`.as('count'),
      sumOf('ingest_seconds').as('ingest'),
      sumOf('viewer_seconds').as('viewer')
    ])
  }

  return {
    async overall(tenantId: string, range: AnalyticsRange): Promise<Analytics> {
      const [row] = await engine.scan(runs(tenantId, range).compile())
      return toFigures(row)
    },

    /** Days without a run are left out; the oldest first. */
    async daywise(tenantId: string, range: AnalyticsRange): Promise<DayAnalytics[]> {
      const day = raw<number>`began_at / ${raw.lit(dayMs)}`
      const rows = await engine.scan(runs(tenantId, range).select(day.as('day')).groupBy(day).orderBy(day).compile())
      return rows.map(row => ({ date: new Date(Number(row.day) * dayMs).toISOString(), ...toFigures(row) }))
    },

    /** The tenant's livestreams whose runs may be others than those that were seen, the longest unseen first. */
    async unseen(
      tenantId: string,
      { nowMs, freshForMs, limit }: { nowMs: number; freshForMs: number; limit: number }
    ): Promise<OwnedLivestream[]> {
      const query = sql
        .selectFrom('livestreams')
        .select(['id', 'upstream', 'meeting_id', 'status', 'proved_at'])
        .where('tenant_id', '=', tenantId)
        .where('released_at', 'is', null)
        .where(where =>
          where.or([
            where('status', 'in', livestreamStatuses.filter(isRunning)),
            where('runs_seen_at', 'is', null),
            where('runs_seen_at', '<', nowMs - freshForMs),
            // The clock was set back since: nobody knows how long ago that was.
            where('runs_seen_at', '>', nowMs),
            where('runs_seen_at', '<', where.ref('observed_at'))
          ])
        )
        .orderBy(raw`coalesce(runs_seen_at, 0)`)
        .limit(limit)
      const rows = await engine.scan(query.compile())
      return rows.map(({ id, upstream, meeting_id: meetingId, status, proved_at }) => ({
        id,
        tenantId,
        upstream,
        meetingId,
        status,
        isProved: proved_at !== null
      }))
    },

    /** A statement: its runs were asked for at that time. */
    seen({ id, tenantId }: Pick<OwnedLivestream, 'id' | 'tenantId'>, atMs: number): Statement {
      const query = sql.updateTable('livestreams').set({ runs_seen_at: atMs }).where('id', '=', id)
      return query.where('tenant_id', '=', tenantId).compile()
    }
  }
}
export type AnalyticsRows = ReturnType<typeof analyticsIn>

/** Less what is no figure: earlier versions have kept whatever the vendor said. */
function sumOf(column: 'ingest_seconds' | 'viewer_seconds') {
  const figure = raw.ref(column)
  return raw<number>`coalesce(sum(case when ${figure} between 0 and ${raw.lit(largestFigure)} then ${figure} end), 0)`
}

function toFigures(row: { count: number; ingest: number; viewer: number } | undefined): Analytics {
  return {
    count: Number(row?.count ?? 0),
    total_ingest_seconds: Math.round(Number(row?.ingest ?? 0)),
    total_viewer_seconds: Math.round(Number(row?.viewer ?? 0))
  }
}
