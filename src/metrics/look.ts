import type { Priority } from '../domain/observer.ts'
import type { ShownNames } from './observer.ts'
import type { Show } from './series.ts'

/** The vendor's quota of one upstream, in calls. */
interface QuotaNow {
  quota: number
  used: Record<Priority | 'other', number>
  left: Record<Priority, number>
  reserved: Record<Exclude<Priority, 'read'>, number>
  pausedForMs: number
}

/** State of the parts of a gateway, which is looked at when somebody reads the metrics, and costs nothing before. */
export interface Sources {
  /** Operations whose outcome is searched for. */
  unknownOperations(): { kind: string; ageMs: number }[]
  liveRuns(): { status: string; tenantId: string }[]
  upstreams(): { name: string; budget: QuotaNow; isBreakerOpen: boolean; isCredentialRefused: boolean }[]
  streams(): number
  connections(): { open: number; most: number }
  audit(): {
    waiting: number
    records: number
    atRisk: number
    signed: { seq: number; ageMs: number }
  }
  store(): { ageMs: number }
  log(): { lost: number; waiting: number }
  /** Null where there is no Valkey. */
  valkey(): { isAway: boolean } | null
  traces(): { lost: number }
  health(): { isReady: boolean; degraded: readonly string[]; warnings: readonly string[] }
  tenants(): number
}

/** Shows the state of all parts. */
export function showState(show: Show, sources: Sources, { upstreamOf, tenantOf }: ShownNames): void {
  showBroadcasts(show, sources, tenantOf)
  for (const { name, budget, isBreakerOpen, isCredentialRefused } of sources.upstreams()) {
    const upstream = upstreamOf(name)
    show('livegate_upstream_quota_calls', budget.quota, upstream)
    for (const [priority, calls] of Object.entries(budget.used))
      show('livegate_upstream_quota_used', calls, upstream, priority)
    for (const [priority, calls] of Object.entries(budget.left))
      show('livegate_upstream_quota_free', calls, upstream, priority)
    for (const [priority, calls] of Object.entries(budget.reserved))
      show('livegate_upstream_quota_reserved', calls, upstream, priority)
    show('livegate_upstream_pause_seconds', budget.pausedForMs / 1_000, upstream)
    show('livegate_breaker_open', Number(isBreakerOpen), upstream)
    show('livegate_upstream_credential_refused', Number(isCredentialRefused), upstream)
  }
  showRecords(show, sources)
  const { isReady, degraded, warnings } = sources.health()
  show('livegate_ready', Number(isReady))
  for (const part of degraded) show('livegate_degraded', 1, part)
  for (const warning of warnings) show('livegate_warning', 1, warning)
  const valkey = sources.valkey()
  if (valkey !== null) show('livegate_valkey_connected', Number(!valkey.isAway))
  show('livegate_event_streams', sources.streams())
  const { open, most } = sources.connections()
  show('livegate_connections', open)
  show('livegate_connections_most', most)
  show('livegate_tenants', sources.tenants())
}

function showBroadcasts(show: Show, { unknownOperations, liveRuns }: Sources, tenantOf: ShownNames['tenantOf']): void {
  const oldestMs = new Map<string, number>()
  for (const { kind, ageMs } of unknownOperations()) {
    show('livegate_unknown_operations', 1, kind)
    oldestMs.set(kind, Math.max(oldestMs.get(kind) ?? 0, ageMs))
  }
  for (const [kind, ageMs] of oldestMs) show('livegate_unknown_operations_oldest_seconds', ageMs / 1_000, kind)
  for (const { status, tenantId } of liveRuns()) {
    show('livegate_live_runs', 1, status)
    show('livegate_tenant_live_runs', 1, tenantOf(tenantId))
  }
}

function showRecords(show: Show, { audit, store }: Sources): void {
  const { waiting, records, atRisk, signed } = audit()
  show('livegate_audit_events_waiting', waiting)
  show('livegate_audit_records_waiting', records)
  show('livegate_audit_events_at_risk', atRisk)
  show('livegate_audit_chain_length', signed.seq)
  show('livegate_audit_checkpoint_age_seconds', signed.ageMs / 1_000)
  show('livegate_store_age_seconds', store().ageMs / 1_000)
}
