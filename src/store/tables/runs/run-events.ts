import type { RunEvent, RunEventType, RunStatus } from '../../../domain/runs/run.ts'
import type { RunEventsTable } from '../../schema/run-tables.ts'
import type { Store } from '../../store.ts'

/** An event with its place in the order of commits: after N come all that were committed later. */
export interface StoredRunEvent extends RunEvent {
  readonly seq: number
}

/** The table `run_events`: what tenants are told of their runs. `broadcast-runs.ts` writes it, with the moves. */
export function runEventsIn({ engine, sql }: Store) {
  return {
    /** Events after that one, the oldest first: of one tenant, or of all. */
    async after(seq: number, { tenantId, limit }: { tenantId?: string; limit: number }): Promise<StoredRunEvent[]> {
      const all = sql.selectFrom('run_events').selectAll().where('seq', '>', seq)
      const wanted = tenantId === undefined ? all : all.where('tenant_id', '=', tenantId)
      return (await engine.read(wanted.orderBy('seq').limit(limit).compile())).map(toEvent)
    },

    /** The newest events of all tenants, the oldest of them first. */
    async newest(limit: number): Promise<StoredRunEvent[]> {
      const newest = sql.selectFrom('run_events').selectAll().orderBy('seq', 'desc').limit(limit)
      return (await engine.read(newest.compile())).map(toEvent).reverse()
    },

    /** The number of the oldest event that is kept; null when there is none. */
    async firstSeq(): Promise<number | null> {
      const first = sql.selectFrom('run_events').select('seq').orderBy('seq').limit(1)
      const [row] = await engine.read(first.compile())
      return row?.seq ?? null
    },

    /** The number that was given last; 0 before the first event. One that was given may have no event. */
    async lastSeq(): Promise<number> {
      const counter = sql.selectFrom('meta').select('value').where('name', '=', 'run_event')
      const [row] = await engine.read(counter.compile())
      return Number(row?.value ?? 0)
    },

    /** Removes the oldest that are of before; some at a time. Fewer than asked when none are left. */
    async removeOld(beforeMs: number, atMost: number): Promise<number> {
      const oldest = sql.selectFrom('run_events').select('seq').where('at', '<', beforeMs).orderBy('at').limit(atMost)
      const [rows] = await engine.write([
        sql.deleteFrom('run_events').where('seq', 'in', oldest).returning('seq').compile()
      ])
      return rows?.length ?? 0
    }
  }
}
export type RunEventRows = ReturnType<typeof runEventsIn>

function toEvent(row: RunEventsTable): StoredRunEvent {
  return {
    seq: row.seq,
    runId: row.run_id,
    tenantId: row.tenant_id,
    upstream: row.upstream,
    meetingId: row.meeting_id,
    livestreamId: row.livestream_id,
    type: row.type as RunEventType,
    status: row.status as RunStatus,
    playbackUrl: row.playback_url,
    reason: row.reason,
    atMs: row.at
  }
}
