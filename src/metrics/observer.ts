import type { Observer, Priority } from '../domain/observer.ts'
import { mostTenants } from './definitions/tenants.ts'
import { mostUpstreams } from './definitions/upstreams.ts'
import type { Series } from './series.ts'

/** Classes of a status, made once. */
const classes = ['none', '1xx', '2xx', '3xx', '4xx', '5xx']

function classOf(status: number | null): string {
  return classes[Math.floor((status ?? 0) / 100)] ?? 'none'
}

/** API operations that are counted under one name: a series for each would cost more than it tells. */
const foldedOperations: Record<string, string> = {
  listParticipants: 'getParticipants',
  getParticipant: 'getParticipants',
  listPresets: 'getParticipants',
  addParticipant: 'changeParticipants',
  updateParticipant: 'changeParticipants',
  replaceParticipant: 'changeParticipants',
  removeParticipant: 'changeParticipants',
  refreshParticipantToken: 'changeParticipants'
}

/** Names as metrics show them. */
export interface ShownNames {
  upstreamOf(upstream: string): string
  tenantOf(tenant: string): string
}

/** The first upstreams and tenants keep names of their own in all metrics; those beyond share one. */
export function shownNames(): ShownNames {
  return { upstreamOf: firstOf(mostUpstreams), tenantOf: firstOf(mostTenants) }
}

function firstOf(most: number): (name: string) => string {
  const known = new Set<string>()
  return name => {
    if (known.size < most) known.add(name)
    return known.has(name) ? name : 'other'
  }
}

const priorities: readonly Priority[] = ['stop', 'mutation', 'read']
const reasonsToHoldBack = ['upstream_budget_exhausted', 'upstream_throttled', 'upstream_unavailable']

/** Shows what can happen to the calls of an upstream as 0: the first of a kind would else be no increase to Prometheus. */
export function showFromZero(series: Series, upstream: string): void {
  for (const priority of priorities) {
    for (const status of ['2xx', '4xx', '5xx', 'none'])
      series.count('livegate_upstream_calls_total', [upstream, priority, status], 0)
    for (const reason of reasonsToHoldBack)
      series.count('livegate_upstream_held_back_total', [upstream, priority, reason], 0)
  }
  for (const result of ['taken', 'repeated', 'unknown', 'refused'])
    series.count('livegate_vendor_webhooks_total', [upstream, result], 0)
}

/** Counts what it hears, and keeps how many transactions are under way. A fault in that is counted too, and goes no further. */
export function countingObserver(
  series: Series,
  { upstreamOf, tenantOf }: ShownNames
): { observer: Observer; storeWrites(): number } {
  let storeWrites = 0
  const observer: Observer = {
    request({ operation: asked, status, outcome, durationMs, tenantId }) {
      const operation = foldedOperations[asked] ?? asked
      series.count('livegate_requests_total', [operation, classOf(status), outcome])
      if (durationMs !== null) series.observe('livegate_request_duration_seconds', durationMs, operation)
      if (tenantId === null) return
      const tenant = tenantOf(tenantId)
      series.count('livegate_tenant_requests_total', [tenant])
      if (classOf(status) === '4xx') series.count('livegate_tenant_requests_refused_total', [tenant])
    },
    shed: () => series.count('livegate_requests_shed_total'),
    vendorCall({ upstream, priority, status, durationMs }) {
      const name = upstreamOf(upstream)
      series.count('livegate_upstream_calls_total', [name, priority, classOf(status)])
      series.observe('livegate_upstream_call_duration_seconds', durationMs, name)
    },
    heldBack(upstream, priority, reason) {
      series.count('livegate_upstream_held_back_total', [upstreamOf(upstream), priority, reason])
    },
    sharedRead: how => series.count('livegate_shared_reads_total', [how]),
    started(result, durationMs) {
      series.count('livegate_starts_total', [result])
      series.observe('livegate_start_duration_seconds', durationMs, result)
    },
    stopped(result, durationMs) {
      series.count('livegate_stops_total', [result])
      series.observe('livegate_stop_duration_seconds', durationMs, result)
    },
    settled: kind => series.count('livegate_operations_settled_total', [kind]),
    runEnded(reason, liveMs) {
      series.count('livegate_run_ends_total', [reason])
      series.count('livegate_live_seconds_total', [], liveMs / 1_000)
    },
    delivery(result, durationMs) {
      series.count('livegate_webhook_deliveries_total', [result])
      series.observe('livegate_webhook_delivery_duration_seconds', durationMs)
    },
    deliveryGivenUp: () => series.count('livegate_webhook_deliveries_given_up_total'),
    webhookDisabled: () => series.count('livegate_webhooks_disabled_total'),
    vendorWebhook: (upstream, result) => series.count('livegate_vendor_webhooks_total', [upstreamOf(upstream), result]),
    auditAppended(durationMs, hasFailed) {
      if (hasFailed) series.count('livegate_audit_append_errors_total')
      else series.observe('livegate_audit_append_duration_seconds', durationMs)
    },
    checkpointFailed: () => series.count('livegate_audit_checkpoint_errors_total'),
    storeWriting(change) {
      storeWrites += change
    },
    storeRead: durationMs => series.observe('livegate_store_read_duration_seconds', durationMs),
    storeWrite: durationMs => series.observe('livegate_store_write_duration_seconds', durationMs),
    storeFailed: kind => series.count('livegate_store_errors_total', [kind])
  }
  const onFault = (): void => series.count('livegate_recording_errors_total')
  return { observer: guarded(observer, onFault), storeWrites: () => storeWrites }
}

/** The same, and none of it throws. */
function guarded(observer: Observer, onFault: () => void): Observer {
  const guardOne =
    <Args extends unknown[]>(tell: (...args: Args) => void) =>
    (...args: Args): void => {
      try {
        tell(...args)
      } catch {
        onFault()
      }
    }
  const guardedEntries = Object.entries(observer).map(([name, tell]) => [name, guardOne(tell)])
  return Object.fromEntries(guardedEntries) as unknown as Observer
}
