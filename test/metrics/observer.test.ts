import { readFileSync } from 'node:fs'
import * as promClient from 'prom-client'
import t from 'tap'
import { runEnders } from '../../src/domain/runs/run.ts'
import { deliveryErrors } from '../../src/domain/webhooks/tenant-webhook.ts'
import { type Sources, showState } from '../../src/metrics/look.ts'
import { countingObserver, shownNames } from '../../src/metrics/observer.ts'
import { Series } from '../../src/metrics/series.ts'
import { seriesIn } from '../support/metrics/read.ts'

function counting(hasTenants = false) {
  const series = new Series(promClient, hasTenants)
  const names = shownNames()
  const { observer, storeWrites } = countingObserver(series, names)
  return { series, names, observer, storeWrites, shown: async () => seriesIn(await series.text(() => {})) }
}

const answered = { operation: 'getMeeting', status: 200, outcome: 'done', durationMs: 3, tenantId: 'acme' }

t.test('each thing that is heard is counted under its labels', async t => {
  const { observer, storeWrites, shown } = counting(true)
  observer.request(answered)
  observer.request({ ...answered, status: 404, outcome: 'refused' })
  observer.request({ ...answered, status: null, outcome: 'unknown', durationMs: null, tenantId: null })
  observer.vendorCall({ upstream: 'default', priority: 'read', status: 503, durationMs: 40 })
  observer.heldBack('default', 'read', 'upstream_budget_exhausted')
  observer.sharedRead('collapsed')
  observer.started('started', 300)
  observer.stopped('unknown', 6_000)
  observer.settled('stop')
  observer.runEnded('tenant', 90_000)
  observer.delivery('timeout', 10_000)
  observer.deliveryGivenUp()
  observer.webhookDisabled()
  observer.vendorWebhook('default', 'taken')
  observer.auditAppended(1, false)
  observer.auditAppended(1, true)
  observer.checkpointFailed()
  observer.storeWriting(1)
  observer.storeWrite(2)
  observer.storeRead(1)
  observer.storeFailed('write')
  const series = await shown()
  const isShown = (name: string, value = 1): boolean => t.equal(series.get(name), value, name)
  isShown('livegate_requests_total{operation="getMeeting",status="2xx",outcome="done"}')
  isShown('livegate_requests_total{operation="getMeeting",status="4xx",outcome="refused"}')
  isShown('livegate_requests_total{operation="getMeeting",status="none",outcome="unknown"}')
  isShown('livegate_request_duration_seconds_bucket{le="0.0025",operation="getMeeting"}', 0)
  isShown('livegate_request_duration_seconds_bucket{le="0.005",operation="getMeeting"}', 2)
  isShown('livegate_tenant_requests_total{tenant="acme"}', 2)
  isShown('livegate_tenant_requests_refused_total{tenant="acme"}')
  isShown('livegate_upstream_calls_total{upstream="default",priority="read",status="5xx"}')
  isShown('livegate_upstream_call_duration_seconds_sum{upstream="default"}', 0.04)
  isShown('livegate_upstream_held_back_total{upstream="default",priority="read",reason="upstream_budget_exhausted"}')
  isShown('livegate_shared_reads_total{how="collapsed"}')
  isShown('livegate_starts_total{result="started"}')
  isShown('livegate_start_duration_seconds_sum{result="started"}', 0.3)
  isShown('livegate_stops_total{result="unknown"}')
  isShown('livegate_stop_duration_seconds_bucket{le="5",result="unknown"}', 0)
  isShown('livegate_operations_settled_total{kind="stop"}')
  isShown('livegate_run_ends_total{reason="tenant"}')
  isShown('livegate_live_seconds_total', 90)
  isShown('livegate_webhook_deliveries_total{result="timeout"}')
  isShown('livegate_webhook_delivery_duration_seconds_count')
  isShown('livegate_webhook_deliveries_given_up_total')
  isShown('livegate_webhooks_disabled_total')
  isShown('livegate_vendor_webhooks_total{upstream="default",result="taken"}')
  isShown('livegate_audit_append_duration_seconds_count')
  isShown('livegate_audit_append_errors_total')
  isShown('livegate_audit_checkpoint_errors_total')
  isShown('livegate_store_write_duration_seconds_count')
  isShown('livegate_store_read_duration_seconds_count')
  isShown('livegate_store_errors_total{kind="write"}')
  isShown('livegate_stops_total{result="stopped"}', 0)
  t.equal(storeWrites(), 1)
})

t.test('operations on participants are counted under two names', async t => {
  const { observer, shown } = counting()
  for (const operation of ['listParticipants', 'getParticipant', 'listPresets', 'addParticipant', 'removeParticipant'])
    observer.request({ ...answered, operation })
  const counts = [...(await shown())].filter(([name]) => name.startsWith('livegate_requests_total'))
  t.strictSame(
    counts.map(([name, count]) => [/operation="(\w+)"/.exec(name)?.[1], count]),
    [
      ['getParticipants', 3],
      ['changeParticipants', 2]
    ]
  )
})

t.test('a thing that cannot be counted throws nothing, and is counted as such', async t => {
  const { observer, shown } = counting()
  t.doesNotThrow(() => observer.started('started', Number.NaN))
  t.doesNotThrow(() => observer.request(null as never))
  t.equal((await shown()).get('livegate_recording_errors_total'), 2)
})

const paths = Object.values(JSON.parse(readFileSync('openapi/livegate.json', 'utf8')).paths) as object[]
const operations = paths.flatMap(methods => Object.values(methods).map(({ operationId }) => operationId as string))
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const budget = {
  quota: 100,
  used: { stop: 1, mutation: 2, read: 3, other: 4 },
  left: { stop: 90, mutation: 80, read: 70 },
  reserved: { stop: 5, mutation: 20 },
  pausedForMs: 0
}
/** More of everything than has series of its own. */
const sources: Sources = {
  unknownOperations: () => numbers(1_000).map(i => ({ kind: 'stop', ageMs: (999 - i) * 1_000 })),
  liveRuns: () => numbers(100_000).map(i => ({ status: 'live', tenantId: `tenant-${i % 10_000}` })),
  upstreams: () =>
    numbers(30).map(i => ({
      ...{ name: `upstream-${i}`, budget, isBreakerOpen: i >= 20, isCredentialRefused: false }
    })),
  streams: () => 5,
  connections: () => ({ open: 6, most: 10 }),
  audit: () => ({ waiting: 1, records: 2, atRisk: 3, signed: { seq: 4, ageMs: 5_000 } }),
  store: () => ({ ageMs: 700 }),
  log: () => ({ lost: 0, waiting: 0 }),
  valkey: () => ({ isAway: false }),
  traces: () => ({ lost: 0 }),
  health: () => ({ isReady: true, degraded: ['store'], warnings: ['disk_space'] }),
  tenants: () => 10_000
}

t.test(
  'with every operation, 10,000 tenants, 100,000 meetings and 30 upstreams there are 3,000 series at most',
  async t => {
    const { series, names, observer } = counting()
    t.ok(operations.length > 35)
    for (const operation of [...operations, 'unknown']) {
      for (const status of [200, 301, 404, 503, null])
        for (const outcome of ['done', 'refused', 'failed', 'not_sent', 'unknown'])
          observer.request({ operation, status, outcome, durationMs: 5, tenantId: 'acme' })
    }
    for (const i of numbers(10_000)) observer.request({ ...answered, tenantId: `tenant-${i}` })
    for (const i of numbers(30)) {
      const upstream = `upstream-${i}`
      for (const priority of ['stop', 'mutation', 'read'] as const) {
        for (const status of [200, 302, 404, 503, null])
          observer.vendorCall({ upstream, priority, status, durationMs: 9 })
        for (const reason of ['upstream_budget_exhausted', 'upstream_throttled', 'upstream_unavailable'])
          observer.heldBack(upstream, priority, reason)
      }
      for (const result of ['taken', 'repeated', 'unknown', 'refused']) observer.vendorWebhook(upstream, result)
    }
    for (const result of ['delivered', ...deliveryErrors]) observer.delivery(result, 5)
    for (const reason of runEnders) observer.runEnded(reason, 1)
    const shown = seriesIn(await series.text(show => showState(show, sources, names)))
    t.ok(shown.size <= 3_000, `${shown.size} series`)
    t.ok(shown.size > 2_000, 'the load is a large one')
    t.equal(shown.get('livegate_live_runs{status="live"}'), 100_000)
    t.equal(shown.get('livegate_unknown_operations{kind="stop"}'), 1_000)
    t.equal(shown.get('livegate_unknown_operations_oldest_seconds{kind="stop"}'), 999)
    t.equal(shown.get('livegate_upstream_calls_total{upstream="other",priority="read",status="5xx"}'), 10)
    t.equal(shown.get('livegate_upstream_quota_free{upstream="other",priority="stop"}'), 900)
    t.equal(shown.get('livegate_breaker_open{upstream="other"}'), 10)
    t.equal(shown.get('livegate_audit_checkpoint_age_seconds'), 5)
    t.equal(shown.get('livegate_degraded{part="store"}'), 1)
    t.equal(shown.get('livegate_warning{warning="disk_space"}'), 1)
    t.equal(shown.get('livegate_warning{warning="open_stops"}'), 0)
    const total = [...shown].filter(([name]) => name.startsWith('livegate_requests_total{'))
    t.equal(
      total.reduce((sum, [, value]) => sum + value, 0),
      (operations.length + 1) * 25 + 10_000,
      'nothing is left out'
    )
    t.equal(
      [...shown.keys()].find(name => name.includes('tenant')),
      'livegate_run_ends_total{reason="tenant"}'
    )
  }
)

t.test('the first 1,000 tenants have series of their own in all metrics, and the others share one', async t => {
  const { series, names, observer } = counting(true)
  for (const i of numbers(1_500)) observer.request({ ...answered, tenantId: `tenant-${i}` })
  const liveRuns = () => [999, 1_000, 1_400].map(i => ({ status: 'live', tenantId: `tenant-${i}` }))
  const shown = seriesIn(await series.text(show => showState(show, { ...sources, liveRuns }, names)))
  const tenants = (metric: string) => [...shown].filter(([name]) => name.startsWith(metric))
  t.equal(tenants('livegate_tenant_requests_total').length, 1_001)
  t.strictSame(tenants('livegate_tenant_requests_total').at(-1), [
    'livegate_tenant_requests_total{tenant="other"}',
    500
  ])
  t.strictSame(tenants('livegate_tenant_live_runs'), [
    ['livegate_tenant_live_runs{tenant="tenant-999"}', 1],
    ['livegate_tenant_live_runs{tenant="other"}', 2]
  ])
})
