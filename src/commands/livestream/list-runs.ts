import type { Run } from '../../domain/run.ts'
import { broadcastRunsIn } from '../../store/tables/broadcast-runs.ts'
import { type Io, type JsonOption, print, table, UsageError, when } from '../process/io.ts'
import { tenantOf, withSnapshot } from '../process/with-store.ts'

export interface ListRunsOptions extends JsonOption {
  live?: boolean
  tenant?: string
}

/** Lists the runs that go on, of all tenants or of one, as the ledger knows them: the vendor is not asked. */
export async function listRuns(io: Io, options: ListRunsOptions): Promise<void> {
  const { live, tenant } = options
  if (!live)
    throw new UsageError(
      'give --live: only runs that go on are listed here, and GET /gateway/runs shows a tenant all of its own'
    )
  const runs = await withSnapshot(io, async store => {
    if (tenant !== undefined) await tenantOf(store, tenant)
    return (await broadcastRunsIn(store).open()).filter(({ tenantId }) => (tenant ?? tenantId) === tenantId)
  })
  const header = ['tenant', 'meeting', 'livestream', 'status', 'since', 'begun by', 'ends at']
  const rows = runs.map(run => [
    run.tenantId,
    run.meetingId ?? '-',
    run.livestreamId ?? '-',
    run.status,
    when(run.liveAtMs ?? run.invokedAtMs ?? run.createdAtMs),
    run.operationId === null ? 'outside' : 'a start',
    when(run.deadlineAtMs)
  ])
  print(io, options, runs.map(shown), table([header, ...rows], 'nothing is live'))
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
