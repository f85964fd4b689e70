import type { ChangeRun } from '../../lifecycle/ends/change-run.ts'
import type { TenantEvents } from '../../lifecycle/push/event-streams.ts'
import type { Api } from '../api.ts'
import { getUsage, type UsageDeps } from './get-usage.ts'
import { listAuditEvents, type TenantAuditEvents } from './list-audit-events.ts'
import { streamEvents } from './stream-events.ts'
import { updateRun } from './update-run.ts'

export interface GatewayDeps extends UsageDeps {
  auditEvents: TenantAuditEvents
  events: TenantEvents
  changeRun: ChangeRun
}

/** Registers Livegate's own operations. */
export function gatewayRoutes(api: Api, deps: GatewayDeps): void {
  listAuditEvents(api, deps)
  getUsage(api, deps)
  streamEvents(api, deps)
  updateRun(api, deps)
}
