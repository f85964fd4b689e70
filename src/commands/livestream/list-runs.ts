import { isExempt } from '../../domain/ends/run-ends.ts'
import type { Run } from '../../domain/runs/run.ts'
import { broadcastRunsIn } from '../../store/tables/runs/broadcast-runs.ts'
import { liveUseIn } from '../../store/tables/runs/live-use.ts'
import { type Io, type JsonOption, print, table, UsageError, when } from '../process/io.ts'
import { tenantOf, withSnapshot } from '../process/with-store.ts'

export interface ListRunsOptions extends JsonOption {
  live?: boolean
  tenant?: string
}

/**
 * Lists the runs that go on, of all tenants or of one, as the ledger knows them: the vendor is not asked. Says which are exempt from
 * limits, since they began before there were any.
 */
export async function listRuns(io: Io, options: ListRunsOptions): Promise<void> {
  const { live, tenant } = options
  if (!live)
    throw new UsageError(
      'give --live: only runs that go on are listed here, and GET /gateway/runs shows a tenant all of its own'
    )
  const { runs, limitsFromMs } = await withSnapshot(io, async store => {
    if (tenant !== undefined) await tenantOf(store, tenant)
    const open = await broadcastRunsIn(store).open()
    return {
      runs: open.filter(({ tenantId }) => (tenant ?? tenantId) === tenantId),
      limitsFromMs: await liveUseIn(store).limitsFromMs()
    }
  })
  const isFree = (run: Run): boolean => run.deadlineAtMs === null && isExempt(run, limitsFromMs)
  const header = ['tenant', 'meeting', 'livestream', 'status', 'since', 'begun by', 'ends at']
  const rows = runs.map(run => [
    run.tenantId,
    run.meetingId ?? '-',
    run.livestreamId ?? '-',
    run.status,
    when(run.liveAtMs ?? run.invokedAtMs ?? run.createdAtMs),
    run.operationId === null ? 'outside' : 'a start',
    isFree(run) ? 'exempt' : when(run.deadlineAtMs)
  ])
  const values = runs.map(run => ({ ...shown(run), is_exempt: isFree(run) }))
  print(io, options, values, table([header, ...rows], 'nothing is live'))
}

function shown(run: Run) {
  return {
    id: run.id,
    tenant_id: run.tenantId,
    upstream: run.upstream,
    meeting_id: run.meetingId,
    livestream_id: run.livestreamId,
    status: run.status,
    operation_id: run.operationId,
    known_at: iso(run.createdAtMs),
    invoked_at: iso(run.invokedAtMs),
    live_at: iso(run.liveAtMs),
    deadline_at: iso(run.deadlineAtMs)
  }
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
