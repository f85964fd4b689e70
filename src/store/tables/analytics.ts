import { sql as raw } from 'kysely'
import { type Analytics, type AnalyticsRange, type DayAnalytics, largestFigure } from '../../domain/analytics.ts'
import { isRunning, livestreamStatuses, type OwnedLivestream } from '../../domain/livestream.ts'
import type { Statement } from '../engine/engine.ts'
import type { Store } from '../store.ts'

const dayMs = 86_400_000

/** One run of a tenant, as the figures count it. */
interface CountedRun {
  began_at: number
  ingest_seconds: number
  viewer_seconds: number
}

/**
 * Figures of one tenant, from the vendor's sessions that it was shown, of livestreams that it still has. A livestream of which no session
 * was ever shown, as in contract L1, counts by its runs in the ledger: there video comes in while they are on air.
 */
export function analyticsIn({ engine, sql }: Store) {
  function runs(tenantId: string, { fromMs, toMs }: AnalyticsRange, nowMs: number) {
    const isHeld = (livestreamId: string) => raw<boolean>`exists (select 1 from livestreams l
      where l.id = ${raw.ref(livestreamId)} and l.tenant_id = ${tenantId} and l.released_at is null)`
    const onAirSeconds = raw<number>`case when live_at is null then 0 else (coalesce(ended_at, ${nowMs}) - live_at) / 1000.0 end`
    const all = raw<CountedRun>`(
      select began_at, ingest_seconds, viewer_seconds from livestream_sessions
        where tenant_id = ${tenantId} and ${isHeld('livestream_sessions.livestream_id')}
      union all
      select invoked_at, ${onAirSeconds}, 0 from broadcast_runs
        where tenant_id = ${tenantId} and invoked_at is not null and ${isHeld('broadcast_runs.livestream_id')}
        and not exists (select 1 from livestream_sessions s where s.livestream_id = broadcast_runs.livestream_id))`
    let wanted = sql.selectFrom(all.as('runs'))
    if (fromMs !== undefined) wanted = wanted.where('began_at', '>=', fromMs)
    if (toMs !== undefined) wanted = wanted.where('began_at', '<=', toMs)
    return wanted.select([
      raw<number>`count(*)`.as('count'),
      sumOf('ingest_seconds').as('ingest'),
      sumOf('viewer_seconds').as('viewer')
    ])
  }

  return {
    /** @param nowMs until then runs that go on are counted */
    async overall(tenantId: string, range: AnalyticsRange, nowMs: number): Promise<Analytics> {
      const [row] = await engine.scan(runs(tenantId, range, nowMs).compile())
      return toFigures(row)
    },

    /** Days without a run are left out; the oldest first. */
    async daywise(tenantId: string, range: AnalyticsRange, nowMs: number): Promise<DayAnalytics[]> {
      const day = raw<number>`began_at / ${raw.lit(dayMs)}`
      const days = runs(tenantId, range, nowMs).select(day.as('day')).groupBy(day).orderBy(day)
      const rows = await engine.scan(days.compile())
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
