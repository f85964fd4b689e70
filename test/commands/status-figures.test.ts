import t from 'tap'
import { inPlace } from '../../src/commands/process/io.ts'
import { figuresOf } from '../../src/commands/status/figures.ts'
import { screenOf } from '../../src/commands/status/screen.ts'
import { seriesIn } from '../../src/metrics/text.ts'

const reading = (atMs: number, lines: string[]) => ({ atMs, series: seriesIn(lines.join('\n')) })
const nothing = {
  live: [],
  open: [],
  audit: { seq: 0, newestMs: null, signed: null },
  quotas: [],
  url: 'http://127.0.0.1:3000/readyz',
  readiness: null,
  reading: null,
  noReading: 'x'
}

t.test('a screen begins at the first place of the terminal, and leaves nothing of the one before', async t => {
  t.equal(inPlace('one\ntwo'), '\u001b[Hone\u001b[K\ntwo\u001b[K\n\u001b[J')
})

t.test('rates are those between two readings, and a process that was started since has begun anew', async t => {
  const counts = (done: number, failed: number) => [
    `livegate_requests_total{operation="getMeeting",status="2xx",outcome="done"} ${done}`,
    `livegate_requests_total{operation="getMeeting",status="5xx",outcome="failed"} ${failed}`,
    `livegate_request_duration_seconds_bucket{le="0.25",operation="getMeeting"} ${done}`,
    `livegate_request_duration_seconds_count{operation="getMeeting"} ${done + failed}`,
    'livegate_stops_total{result="stopped"} 9',
    'livegate_stops_total{result="refused"} 5',
    'livegate_stops_total{result="unknown"} 1',
    'livegate_stop_duration_seconds_bucket{le="5",result="stopped"} 8',
    'process_start_time_seconds 100'
  ]
  const [before, after] = [reading(200_000, counts(1_000, 10)), reading(202_000, counts(1_200, 20))]
  const { calls, failed, readsInTime, badStops, upSeconds } = figuresOf(before, after)
  t.strictSame([calls, failed, upSeconds], [105, 5, 102])
  t.equal(Number(readsInTime?.toFixed(3)), 0.952)
  t.strictSame(badStops, { bad: 2, all: 10 })
  t.equal(figuresOf(before, reading(202_000, counts(40, 0))).calls, 20)
})

t.test('a gateway that is broken or throttled says so, and tenants beyond five are counted', async t => {
  const live = Array.from({ length: 8 }, (_, i) => ({ status: 'live', tenantId: `tenant-${i % 7}` }))
  const quota = {
    ...{ upstream: 'default', observed_at: '', quota: 2_000, window_seconds: 60, lowered_to: 1_000 },
    ...{ used: { read: 1, mutation: 2, stop: 3, other: 4 }, left: { read: 5, mutation: 6, stop: 7 } },
    ...{ paused_seconds: 8, breaker: 'open' as const, refuses_second_start: false, fails_when_nothing_is_live: false }
  }
  const readiness = { status: 'ready', degraded: ['store'], warnings: [] }
  const audit = { seq: 7, newestMs: 0, signed: { seq: 6, timeMs: 172_700_000 } }
  const screen = screenOf({ ...nothing, atMs: 172_800_000, live, readiness, quotas: [quota], audit }, null)
  t.match(screen, /^gateway +ready; DEGRADED: store; no warnings$/m)
  t.match(screen, /^live +8 runs \(8 live\): tenant-0 2, tenant-1 1, .*, and 2 tenants more$/m)
  t.match(
    screen,
    /^quota +default: 10 of 2000 in 60 s, lowered to 1000; .*; breaker open; the vendor asks for a pause of 8 s$/m
  )
  t.match(screen, /^audit log +event 7, 2 days ago; signed up to 6, 100 s ago$/m)
  t.match(screenOf({ ...nothing, atMs: 1 }, null), /^audit log +no event yet; not signed yet$/m)
})
