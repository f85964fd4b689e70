import type { ChangeRun } from '../../lifecycle/ends/change-run.ts'
import type { RotateKey } from '../../lifecycle/keys/rotate-key.ts'
import type { TenantEvents } from '../../lifecycle/push/event-streams.ts'
import type { TenantWebhook } from '../../lifecycle/webhooks-out/tenant-webhook.ts'
import type { Api } from '../api.ts'
import { getRun } from './get-run.ts'
import { getUsage, type UsageDeps } from './get-usage.ts'
import { getWebhook } from './get-webhook.ts'
import { listAuditEvents, type TenantAuditEvents } from './list-audit-events.ts'
import { listRuns, type TenantLedger } from './list-runs.ts'
import { removeWebhook } from './remove-webhook.ts'
import { rotateKey } from './rotate-key.ts'
import { setWebhook } from './set-webhook.ts'
import { streamEvents } from './stream-events.ts'
import { testWebhook } from './test-webhook.ts'
import { updateRun } from './update-run.ts'

export interface GatewayDeps extends UsageDeps {
  auditEvents: TenantAuditEvents
  ledger: TenantLedger
  events: TenantEvents
  changeRun: ChangeRun
  webhook: TenantWebhook
  rotateKey: RotateKey
}

/** Registers Livegate's own operations. */
export function gatewayRoutes(api: Api, deps: GatewayDeps): void {
  listAuditEvents(api, deps)
  getUsage(api, deps)
  listRuns(api, deps)
  getRun(api)
  streamEvents(api, deps)
  updateRun(api, deps)
  setWebhook(api, deps)
  getWebhook(api, deps)
  removeWebhook(api, deps)
  testWebhook(api, deps)
  rotateKey(api, deps)
}
