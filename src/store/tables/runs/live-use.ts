import { sql as raw } from 'kysely'
import type { LiveLimits } from '../../../domain/ends/live-limits.ts'
import { monthOf } from '../../../domain/ends/live-limits.ts'
import type { PlacedMeeting } from '../../../domain/meeting.ts'
import { compileOnce, type Statement } from '../../engine/engine.ts'
import type { Store } from '../../store.ts'

/** A tenant's runs that go on or are being started, and its milliseconds on air in this month. */
export interface LiveUse {
  live: number
  spentMs: number
}

interface Asked {
  tenantId: string
  /** Its own run does not count: a look has just shown that nothing is live there. */
  meeting: PlacedMeeting
  nowMs: number
}

/** No meeting has an empty id. */
const noMeeting: PlacedMeeting = { id: '', upstream: '' }

/** How much a tenant has live, as the rows of `broadcast_runs` say. */
export function liveUseIn({ engine, sql }: Store) {
  const count = (tenantId: string, { id, upstream }: { id: string; upstream: string }) =>
    raw<number>`(select count(*) from broadcast_runs where tenant_id = ${tenantId} and ended_at is null
      and not (coalesce(meeting_id, '') = ${id} and upstream = ${upstream}))`

  /** Time on air of runs that are over, or of all; a run that goes on counts until now. */
  const spent = (tenantId: string, sinceMs: number, nowMs: number, which: 'ended' | 'all') => {
    const end = raw`coalesce(ended_at, ${nowMs})`
    const begin = raw`case when live_at > ${sinceMs} then live_at else ${sinceMs} end`
    const open = which === 'all' ? raw` or ended_at is null` : raw``
    return raw<number>`(select coalesce(sum(case when ${end} > ${begin} then ${end} - ${begin} else 0 end), 0)
      from broadcast_runs where tenant_id = ${tenantId} and live_at is not null and (ended_at > ${sinceMs}${open}))`
  }

  /** Changes one row, or none where the condition does not hold: then the transaction is undone. */
  const demand = (condition: ReturnType<typeof raw>) => ({
    compile: () => raw`update meta set value = value where name = 'limits_from' and ${condition}`.compile(sql)
  })
  const roomForLive = compileOnce(
    ({ tenantId, id, upstream, most }: { tenantId: string; id: string; upstream: string; most: number }) =>
      demand(raw`${count(tenantId, { id, upstream })} < ${most}`)
  )
  const roomForMinutes = compileOnce(
    ({ tenantId, sinceMs, nowMs, mostMs }: { tenantId: string; sinceMs: number; nowMs: number; mostMs: number }) =>
      demand(raw`${spent(tenantId, sinceMs, nowMs, 'all')} < ${mostMs}`)
  )

  /** Time from which on runs are limited, in epoch ms. */
  async function limitsFromMs(): Promise<number> {
    const query = sql.selectFrom('meta').select('value').where('name', '=', 'limits_from')
    return Number((await engine.read(query.compile()))[0]?.value ?? 0)
  }

  return {
    /**
     * Conditions for the transaction of a start's intent, before the row of its run. @throws Conflict, by the transaction, when there is
     * no room for another run
     */
    room(
      { tenantId, meeting, nowMs }: Asked,
      { maxLive, minutesPerMonth }: Pick<LiveLimits, 'maxLive' | 'minutesPerMonth'>
    ): Statement[] {
      const { id, upstream } = meeting
      const [sinceMs, mostMs] = [monthOf(nowMs).startMs, (minutesPerMonth ?? 0) * 60_000]
      return [
        ...(maxLive === null ? [] : [{ ...roomForLive({ tenantId, id, upstream, most: maxLive }), changes: 1 }]),
        ...(minutesPerMonth === null ? [] : [{ ...roomForMinutes({ tenantId, sinceMs, nowMs, mostMs }), changes: 1 }])
      ]
    },

    /** For people. Of all meetings, unless one is left out. */
    async used({ tenantId, meeting = noMeeting, nowMs }: Omit<Asked, 'meeting'> & Partial<Asked>): Promise<LiveUse> {
      const spentMs = spent(tenantId, monthOf(nowMs).startMs, nowMs, 'all')
      const query = raw<{
        live: number
        spent_ms: number
      }>`select ${count(tenantId, meeting)} as live, ${spentMs} as spent_ms`
      const [row] = await engine.read(query.compile(sql))
      return { live: Number(row?.live ?? 0), spentMs: Number(row?.spent_ms ?? 0) }
    },

    /** Milliseconds on air, in the month of that time, of runs that are over. */
    async endedMs(tenantId: string, nowMs: number): Promise<number> {
      const query = raw<{ ms: number }>`select ${spent(tenantId, monthOf(nowMs).startMs, nowMs, 'ended')} as ms`
      return Number((await engine.read(query.compile(sql)))[0]?.ms ?? 0)
    },

    limitsFromMs,

    /** The same, brought back when it lies ahead: the clock was wrong at the upgrade. */
    async correctedLimitsFromMs(nowMs: number): Promise<number> {
      const fromMs = await limitsFromMs()
      if (fromMs <= nowMs) return fromMs
      const corrected = sql
        .updateTable('meta')
        .set({ value: String(nowMs) })
        .where('name', '=', 'limits_from')
      await engine.write([corrected.compile()])
      return nowMs
    }
  }
}
export type LiveUses = ReturnType<typeof liveUseIn>
