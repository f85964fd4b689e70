/** Values of series, every other minute, in the notation of `promtool test rules`: `0+5x30` grows by 5 each time. */
type Values = Record<string, string>

/** Alerts that fire in a scenario, with their severity. */
export interface Scenario {
  series: Values
  fires: readonly `${string}/${'page' | 'ticket'}`[]
}

const each = (step: number): string => `0+${step}x30`
const always = (value: number): string => `${value}+0x30`
const never = always(0)

/** Series of a gateway that is well, and has something to do. */
export const calm: Values = {
  'up{}': always(1),
  'livegate_stop_duration_seconds_bucket{le="5",result="stopped"}': each(100),
  'livegate_stop_duration_seconds_count{result="stopped"}': each(100),
  'livegate_stop_duration_seconds_count{result="unknown"}': never,
  // Refusals are no fault of the gateway, however many there are.
  'livegate_stop_duration_seconds_count{result="refused"}': each(100),
  'livegate_starts_total{result="started"}': each(100),
  'livegate_starts_total{result="unknown"}': never,
  'livegate_starts_total{result="refused"}': each(100),
  'livegate_request_duration_seconds_bucket{le="0.25",operation="getActiveLivestream"}': each(1_000),
  'livegate_request_duration_seconds_count{operation="getActiveLivestream"}': each(1_000),
  'livegate_requests_total{operation="getActiveLivestream",status="2xx",outcome="done"}': each(1_000),
  'livegate_requests_total{operation="getActiveLivestream",status="5xx",outcome="failed"}': never,
  // Callers without a key, or who ask too often, are no fault of the gateway.
  'livegate_requests_total{operation="getActiveLivestream",status="4xx",outcome="refused"}': each(1_000),
  'livegate_requests_total{operation="startLivestream",status="5xx",outcome="failed"}': each(100),
  // Starts take as long as the vendor does.
  'livegate_request_duration_seconds_bucket{le="0.25",operation="startLivestream"}': never,
  'livegate_request_duration_seconds_count{operation="startLivestream"}': each(100),
  'livegate_unknown_operations_oldest_seconds{kind="stop"}': always(20),
  'livegate_upstream_quota_calls{upstream="default"}': always(2_000),
  'livegate_upstream_quota_free{upstream="default",priority="mutation"}': always(300),
  'livegate_upstream_quota_free{upstream="default",priority="read"}': always(10),
  'livegate_upstream_held_back_total{upstream="default",priority="mutation",reason="upstream_unavailable"}': never,
  'livegate_upstream_held_back_total{upstream="default",priority="read",reason="upstream_budget_exhausted"}': each(5),
  'livegate_breaker_open{upstream="default"}': never,
  'livegate_upstream_pause_seconds{upstream="default"}': never,
  'livegate_upstream_credential_refused{upstream="default"}': never,
  'livegate_audit_events_at_risk{}': never,
  'livegate_audit_records_waiting{}': never,
  'livegate_audit_events_waiting{}': always(200),
  'livegate_audit_checkpoint_age_seconds{}': always(9),
  'livegate_degraded{part="store"}': never,
  'livegate_valkey_connected{}': always(1),
  'livegate_store_errors_total{kind="write"}': never,
  'livegate_store_write_duration_seconds_bucket{le="0.005"}': each(100),
  'livegate_store_write_duration_seconds_bucket{le="1"}': each(100),
  'livegate_store_write_duration_seconds_bucket{le="+Inf"}': each(100),
  'livegate_log_lines_lost_total{}': always(7),
  'livegate_event_loop_delay_seconds_bucket{le="0.01"}': each(600),
  'livegate_event_loop_delay_seconds_bucket{le="1"}': each(600),
  'livegate_event_loop_delay_seconds_bucket{le="+Inf"}': each(600),
  'livegate_requests_shed_total{}': always(3),
  'livegate_heap_used_bytes{}': always(80e6),
  'livegate_heap_limit_bytes{}': always(150e6),
  'livegate_connections{}': always(200),
  'livegate_connections_most{}': always(10_000),
  'livegate_warning{warning="disk_space"}': never,
  'livegate_warning{warning="open_stops"}': always(1),
  'livegate_webhook_deliveries_total{result="delivered"}': each(10),
  'livegate_webhook_deliveries_total{result="timeout"}': each(1),
  'livegate_recording_errors_total{}': never
}

/** The bad share of stops: answered too late, or not known. */
const stops = (good: number, unknown: number): Values => ({
  'livegate_stop_duration_seconds_bucket{le="5",result="stopped"}': each(good),
  'livegate_stop_duration_seconds_count{result="unknown"}': each(unknown)
})
const starts = (unknown: number): Values => ({ 'livegate_starts_total{result="unknown"}': each(unknown) })
const reads = (inTime: number): Values => ({
  'livegate_request_duration_seconds_bucket{le="0.25",operation="getActiveLivestream"}': each(inTime)
})

const failedReads = (failed: number): Values => ({
  'livegate_requests_total{operation="getActiveLivestream",status="5xx",outcome="failed"}': each(failed)
})

/** Troubles, each with the alerts that it causes; no other alert fires. */
export const scenarios: Record<string, Scenario> = {
  'all is well': { series: {}, fires: [] },
  'every tenth stop is lost': {
    series: stops(90, 10),
    fires: ['LivegateStopsFailing/page', 'LivegateStopsFailing/ticket']
  },
  'every tenth stop takes longer than 5 s': {
    series: stops(90, 0),
    fires: ['LivegateStopsFailing/page', 'LivegateStopsFailing/ticket']
  },
  'four stops of a hundred are lost': { series: stops(100, 4), fires: ['LivegateStopsFailing/ticket'] },
  'one stop of a thousand is lost': {
    series: { ...stops(1_000, 1), 'livegate_stop_duration_seconds_count{result="stopped"}': each(1_000) },
    fires: []
  },
  'every fifth start is lost': {
    series: starts(25),
    fires: ['LivegateStartsFailing/page', 'LivegateStartsFailing/ticket']
  },
  'eight starts of a hundred are lost': { series: starts(8), fires: ['LivegateStartsFailing/ticket'] },
  'every fifth read is slow': { series: reads(800), fires: ['LivegateReadsSlow/page', 'LivegateReadsSlow/ticket'] },
  'eight reads of a hundred are slow': { series: reads(920), fires: ['LivegateReadsSlow/ticket'] },
  'every tenth read fails at once': {
    series: failedReads(110),
    fires: ['LivegateReadsFailing/page', 'LivegateReadsFailing/ticket']
  },
  'four reads of a hundred fail': { series: failedReads(42), fires: ['LivegateReadsFailing/ticket'] },
  'a stop is open for long': {
    series: { 'livegate_unknown_operations_oldest_seconds{kind="stop"}': '0+60x30' },
    fires: ['LivegateOperationsUnknown/page']
  },
  'the quota is almost spent': {
    series: { 'livegate_upstream_quota_free{upstream="default",priority="mutation"}': always(150) },
    fires: ['LivegateQuotaLow/ticket']
  },
  'starts are not sent': {
    series: {
      'livegate_upstream_held_back_total{upstream="default",priority="mutation",reason="upstream_unavailable"}': each(3)
    },
    fires: ['LivegateStartsHeldBack/page']
  },
  'the vendor fails': {
    series: { 'livegate_breaker_open{upstream="default"}': always(1) },
    fires: ['LivegateBreakerOpen/page']
  },
  'the vendor refuses calls as too many': {
    series: { 'livegate_upstream_pause_seconds{upstream="default"}': always(30) },
    fires: ['LivegateVendorPauses/page']
  },
  'the credential was revoked': {
    series: { 'livegate_upstream_credential_refused{upstream="default"}': always(1) },
    fires: ['LivegateCredentialRefused/page']
  },
  'store and log take no audit events': {
    series: { 'livegate_audit_events_at_risk{}': always(3), 'livegate_audit_records_waiting{}': always(3) },
    fires: ['LivegateAuditAtRisk/page', 'LivegateAuditWaiting/page']
  },
  'audit events of reads pile up': {
    series: { 'livegate_audit_events_waiting{}': always(5_000) },
    fires: ['LivegateAuditWaiting/page']
  },
  'the audit log is not signed any more': {
    series: { 'livegate_audit_checkpoint_age_seconds{}': '0+60x30' },
    fires: ['LivegateAuditUnsigned/page']
  },
  'the store was moved away': {
    series: { 'livegate_degraded{part="store"}': always(1) },
    fires: ['LivegateStoreFailing/page']
  },
  'Valkey is away': {
    series: { 'livegate_valkey_connected{}': always(0) },
    fires: ['LivegateValkeyAway/ticket']
  },
  'the store refuses writes': {
    series: { 'livegate_store_errors_total{kind="write"}': each(30) },
    fires: ['LivegateStoreFailing/page']
  },
  'the disk is slow': {
    series: { 'livegate_store_write_duration_seconds_bucket{le="0.005"}': each(90) },
    fires: ['LivegateStoreSlow/ticket']
  },
  'the log cannot be written': {
    series: { 'livegate_log_lines_lost_total{}': each(10) },
    fires: ['LivegateLogLost/ticket']
  },
  'the gateway does not answer': { series: { 'up{}': never }, fires: ['LivegateDown/page'] },
  'the event loop is blocked now and then': {
    series: { 'livegate_event_loop_delay_seconds_bucket{le="0.01"}': each(570) },
    fires: ['LivegateBlocked/page']
  },
  'calls are refused for load': {
    series: { 'livegate_requests_shed_total{}': each(9) },
    fires: ['LivegateLoadShed/page']
  },
  'a few calls were refused for load, once': {
    series: { 'livegate_requests_shed_total{}': '3+0x10 8+0x20' },
    fires: []
  },
  'the heap is almost full': {
    series: { 'livegate_heap_used_bytes{}': always(140e6) },
    fires: ['LivegateHeapFull/page']
  },
  'connections run out': {
    series: { 'livegate_connections{}': always(9_000) },
    fires: ['LivegateConnectionsFull/ticket']
  },
  'little disk space is left': {
    series: { 'livegate_warning{warning="disk_space"}': always(1) },
    fires: ['LivegateWarned/ticket']
  },
  'receivers of webhooks hang': {
    series: { 'livegate_webhook_deliveries_total{result="timeout"}': each(30) },
    fires: ['LivegateWebhooksFailing/ticket']
  },
  'something cannot be counted': {
    series: { 'livegate_recording_errors_total{}': each(1) },
    fires: ['LivegateMetricsBroken/ticket']
  }
}

/** A file for `promtool test rules`, with each scenario: exactly its alerts fire when it has lasted for 50 minutes. */
export function promtoolTests(ruleFile: string): object {
  const tests = Object.entries(scenarios).map(([name, { series, fires }]) => ({
    name,
    interval: '2m',
    input_series: Object.entries({ ...calm, ...series }).map(([one, values]) => ({ series: ofGateway(one), values })),
    promql_expr_test: [
      {
        expr: 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
        eval_time: '50m',
        exp_samples: fires.map(alert => {
          const [alertname, severity] = alert.split('/')
          return { labels: `{alertname="${alertname}", severity="${severity}"}`, value: 1 }
        })
      }
    ]
  }))
  return { rule_files: [ruleFile], evaluation_interval: '2m', tests }
}

function ofGateway(series: string): string {
  return series.replace(/\{(.*)\}/, (_, labels) => `{job="livegate",instance="a"${labels === '' ? '' : `,${labels}`}}`)
}
