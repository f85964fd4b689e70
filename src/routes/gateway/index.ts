import type { TenantEvents } from '../../lifecycle/push/event-streams.ts'
import type { Api } from '../api.ts'
import { getRun } from './get-run.ts'
import { getUsage, type UsageDeps } from './get-usage.ts'
import { listAuditEvents, type TenantAuditEvents } from './list-audit-events.ts'
import { listRuns, type TenantLedger } from './list-runs.ts'
import { streamEvents } from './stream-events.ts'

export interface GatewayDeps extends UsageDeps {
  auditEvents: TenantAuditEvents
  ledger: TenantLedger
  events: TenantEvents
}

/** Registers Livegate's own operations. */
export function gatewayRoutes(api: Api, deps: GatewayDeps): void {
  listAuditEvents(api, deps)
  getUsage(api, deps)
  listRuns(api, deps)
  getRun(api)
  streamEvents(api, deps)
}
