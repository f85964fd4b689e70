import type { Api } from '../api.ts'
import { getUsage, type UsageDeps } from './get-usage.ts'
import { listAuditEvents, type TenantAuditEvents } from './list-audit-events.ts'

export interface GatewayDeps extends UsageDeps {
  auditEvents: TenantAuditEvents
}

/** Registers Livegate's own operations. */
export function gatewayRoutes(api: Api, deps: GatewayDeps): void {
  listAuditEvents(api, deps)
  getUsage(api, deps)
}
