import { sql as raw } from 'kysely'
import type { OperationKind } from '../../domain/operation.ts'
import type { Store } from '../store.ts'
import { isOpen } from './operations/look-ups.ts'

/** Owned things at an upstream. */
export interface HeldAt {
  upstream: string
  meetings: number
  livestreams: number
}

/** Operations of one kind that are under way, or of unknown outcome. */
export interface OpenOperations {
  kind: OperationKind
  total: number
  oldestSentAtMs: number
}

/** Lists where everything is, what is open and when it was written last, for commands that look at the whole store. */
export function overviewOf({ engine, sql }: Store) {
  const countIn = async (table: 'meetings' | 'livestreams'): Promise<Map<string, number>> => {
    const held = sql.selectFrom(table).where('released_at', 'is', null).groupBy('upstream')
    const rows = await engine.scan(held.select(['upstream', raw<number>`count(*)`.as('total')]).compile())
    return new Map(rows.map(({ upstream, total }) => [upstream, Number(total)]))
  }

  return {
    async held(): Promise<HeldAt[]> {
      const [meetings, livestreams] = await Promise.all([countIn('meetings'), countIn('livestreams')])
      const names = [...new Set([...meetings.keys(), ...livestreams.keys()])].sort()
      return names.map(upstream => ({
        upstream,
        meetings: meetings.get(upstream) ?? 0,
        livestreams: livestreams.get(upstream) ?? 0
      }))
    },

    /** The most of a kind first. */
    async openOperations(): Promise<OpenOperations[]> {
      const open = sql.selectFrom('operations').where(isOpen).groupBy('kind')
      const figures = open.select(['kind', raw<number>`count(*)`.as('total'), raw<number>`min(sent_at)`.as('oldest')])
      const rows = await engine.scan(figures.orderBy('total', 'desc').orderBy('kind').compile())
      return rows.map(({ kind, total, oldest }) => ({
        kind: kind as OperationKind,
        total: Number(total),
        oldestSentAtMs: Number(oldest)
      }))
    },

    /** The time of the last audit event; null before there is one. */
    async newestEventMs(): Promise<number | null> {
      const newest = sql.selectFrom('audit_events').select('time').orderBy('seq', 'desc').limit(1)
      const [row] = await engine.read(newest.compile())
      return row?.time ?? null
    }
  }
}
