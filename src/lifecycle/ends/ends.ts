import type { LiveLimits } from '../../domain/ends/live-limits.ts'
import type { Run } from '../../domain/runs/run.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { LiveUses } from '../../store/tables/runs/live-use.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { Broadcasting } from '../broadcast/broadcasting.ts'
import { type Context, vendorClocks } from '../context.ts'
import type { OpenRuns } from '../ledger/hub.ts'
import type { ChangeEnd } from './change-end.ts'
import { EndKeeper } from './keeper.ts'
import { MeetingEnds, type MeetingNotice } from './meeting-ends.ts'
import { type OrderStop, orderStop } from './order-stop.ts'

export interface EndsDeps extends Context {
  openRuns: OpenRuns
  changeEnd: ChangeEnd
  use: Pick<LiveUses, 'endedMs' | 'correctedLimitsFromMs'>
  limitsOf(tenantId: string): LiveLimits | undefined
  operations: Operations
  auditEvents: Pick<AuditEvents, 'append'>
  upstreams: Upstreams
  broadcasts: Pick<Broadcasting, 'reconcileLoop' | 'repeat'>
  neverLiveMs: number
}

/** All that ends runs without a call. */
export interface RunEnding {
  /** Stops one run for a cause, as an operation of the gateway: repeated until it is over, and after a restart too. */
  stopRun: OrderStop
  /** The open runs of a meeting that memory knows. */
  openRunsOf(meeting: { id: string; upstream: string }): Run[]
  /** A verified word of the vendor's about a meeting. */
  noticed(notice: MeetingNotice): Promise<void>
  /** Before the first call: orders the stops that are overdue, then looks after all others. @throws what the store throws */
  begin(): Promise<void>
  close(): Promise<void>
}

/** Puts together what ends runs on time. */
export function runEnding(deps: EndsDeps): RunEnding {
  const { openRuns, upstreams, broadcasts } = deps
  const order = orderStop({ ...deps, ...broadcasts, vendorNowMs: vendorClocks(upstreams) })
  const parts = { ...deps, orderStop: order }
  const keeper = new EndKeeper(parts)
  const meetingEnds = new MeetingEnds({ ...parts, limitsFromMs: () => keeper.limitsFromMs })

  return {
    stopRun: order,
    openRunsOf: ({ id, upstream }) => openRuns.all().filter(run => run.meetingId === id && run.upstream === upstream),
    noticed: notice => meetingEnds.noticed(notice),
    async begin() {
      await keeper.begin()
      meetingEnds.begin()
    },
    async close() {
      await meetingEnds.close()
      await keeper.close()
    }
  }
}
