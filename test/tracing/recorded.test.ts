import { randomBytes } from 'node:crypto'
import t from 'tap'
import { Secret } from '../../src/domain/values/secret.ts'
import { gateway, type WorldOptions } from '../support/gateway.ts'
import { readMetrics, showing } from '../support/metrics/read.ts'
import type { TestContext } from '../support/test-context.ts'
import { type CollectedSpan, type Collector, collector } from '../support/tracing/collector.ts'
import { until } from '../support/until.ts'

const frontEnd = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const traceparent = `00-${frontEnd.traceId}-${frontEnd.spanId}-01`
const server = 2
const client = 3

async function recording(t: TestContext, options: WorldOptions = {}) {
  const collected = await collector(t)
  const headers = { canary: randomBytes(16).toString('hex') }
  const traces = { url: collected.url, headers: new Secret(`x-canary=${headers.canary}`), serviceName: 'livegate-1' }
  const world = await gateway(t, { ...options, config: { traces, ...options.config } })
  return { ...world, collected, headers }
}

const parentOf = ({ traceId, spanId }: CollectedSpan): string => `00-${traceId}-${spanId}-01`

/** The spans below one, all of them. */
function below(collected: Collector, { spanId }: CollectedSpan): CollectedSpan[] {
  const children = collected.spans().filter(({ parentSpanId }) => parentSpanId === spanId)
  return [...children, ...children.flatMap(child => below(collected, child))]
}

t.test('a trace goes from the front end to the vendor, over a start that was lost and found later', async t => {
  const { asAcme, meeting, simulator, collected, headers, events, store, close } = await recording(t)
  const isStart = { method: 'POST', path: '/meetings/*/livestreams' }
  // Time enough to make the vendor blind, so that the start's own look finds nothing either.
  simulator.failNext({ match: isStart, delayMs: 200, afterWork: true, hangUp: true })
  const start = asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {}, { traceparent, tracestate: 'a=b' })
  await until(() => simulator.journal.some(({ method }) => method === 'POST'))
  const see = simulator.fail({ match: { method: 'GET' }, status: 503, body: {} })
  t.match((await start).json().error, { outcome: 'unknown', trace_id: frontEnd.traceId })
  see()
  const rows = store.sql.selectFrom('operations').select(['id', 'state', 'trace_parent'])
  const operation = async () => (await store.engine.read(rows.compile()))[0]
  await until(async () => (await operation())?.state === 'done')
  await close()

  const [call] = collected.named('startLivestream')
  t.match(call, { traceId: frontEnd.traceId, parentSpanId: frontEnd.spanId, kind: server, status: { code: 2 } })
  t.match(call?.facts, {
    'http.response.status_code': 502,
    'error.type': 'upstream_unreachable',
    'livegate.tenant': 'acme'
  })
  const parts = below(collected, call as CollectedSpan)
  for (const part of parts) t.equal(part.traceId, frontEnd.traceId)
  const names = new Set(parts.map(({ name }) => name))
  t.strictSame([...names].sort(), ['audit intent', 'audit outcome', 'queue wait', 'quota wait', 'vendor call'])
  t.match(await operation(), { trace_parent: parentOf(call as CollectedSpan) })

  const lost = parts.find(({ facts }) => facts['http.request.method'] === 'POST')
  t.match(lost, { kind: client, status: { code: 2 }, facts: { 'url.path': `/meetings/${meeting}/livestreams` } })
  const journal = simulator.journal.filter(({ target }) => target.includes(meeting) || target.includes('livestreams'))
  const sent = journal.find(({ method }) => method === 'POST')
  t.equal(sent?.headers.traceparent, parentOf(lost as CollectedSpan))
  t.equal(sent?.headers.tracestate, undefined)

  const [first, ...others] = collected.named('reconciliation')
  t.match(first?.links, [{ traceId: call?.traceId, spanId: call?.spanId }])
  t.not(first?.traceId, frontEnd.traceId, 'it is no part of the call, which is over')
  const id = (await operation())?.id
  for (const look of [first, ...others])
    t.match(look?.facts, { 'livegate.operation': id, 'livegate.operation.kind': 'start' })
  const looks = below(collected, first as CollectedSpan).filter(({ name }) => name === 'vendor call')
  t.ok(looks.length > 0)
  t.ok(journal.some(({ headers }) => headers.traceparent === parentOf(looks[0] as CollectedSpan)))

  const ofStart = (await events()).filter(({ api }) => api.operation === 'startLivestream')
  t.strictSame(
    ofStart.map(({ unmapped, trace }) => [unmapped.outcome, trace?.uid]),
    ['pending', 'unknown', 'done'].map(outcome => [outcome, frontEnd.traceId])
  )

  // Each byte that came to the collector is looked at, and the simulated vendor's secrets are made for this run.
  const { org, key } = simulator
  const basic = Buffer.from(`${org}:${key}`).toString('base64')
  const streams = simulator.livestreams().map(one => one.stream_key)
  t.match(collected.text(), headers.canary, 'the collector is told its own header field')
  for (const secret of [org, key, basic, 'lgk_', 'rtmps://', ...streams]) t.notMatch(collected.text(), secret)
})

t.test('a call that many share is one of the call that caused it, and names the others', async t => {
  const { asAcme, meeting, simulator, collected, close } = await recording(t)
  const active = `/meetings/${meeting}/active-livestream`
  simulator.failNext({ match: { path: active }, delayMs: 400 })
  const reads = ['1', '2', '3'].map(async digit => {
    const parent = `00-${digit.repeat(32)}-${digit.repeat(16)}-01`
    if (digit !== '1') await until(() => simulator.journal.length > 0)
    return asAcme('GET', `/v2${active}`, undefined, { traceparent: parent })
  })
  await Promise.all(reads)
  await close()
  const calls = collected.named('vendor call')
  t.match(calls, [{ traceId: '1'.repeat(32) }], 'one for all')
  const linked = calls[0]?.links.map(({ traceId }) => traceId[0])
  t.strictSame(linked?.sort(), ['2', '3'])
  t.equal(collected.named('getActiveLivestream').length, 3)
})

t.test('a call without a trace begins one, and one that its caller does not record is passed on as it is', async t => {
  const { asAcme, meeting, simulator, collected, close } = await recording(t)
  const active = `/v2/meetings/${meeting}/active-livestream`
  await asAcme('GET', active, undefined, { traceparent: traceparent.replace(/01$/, '00') })
  t.equal(simulator.journal.at(-1)?.headers.traceparent, traceparent.replace(/01$/, '00'))
  const own = await asAcme('GET', active)
  await close()
  const [call, ...more] = collected.named('getActiveLivestream')
  t.strictSame(more, [])
  t.equal(own.json().error.trace_id, call?.traceId)
  t.equal(call?.parentSpanId ?? '', '')
})

t.test('a collector that refuses costs no call, and what is lost is counted in log and metrics', async t => {
  const world = await recording(t, { config: { metrics: showing } })
  const { asAcme, meeting, collected, headers, close, logs } = world
  collected.status = 400
  for (let i = 0; i < 3; i++) t.equal((await asAcme('GET', `/v2/meetings/${meeting}`)).statusCode, 200)
  await until(() => logs().includes('"spans_lost"'))
  const line =
    logs()
      .split('\n')
      .find(line => line.includes('"spans_lost"')) ?? ''
  const { lost, err } = JSON.parse(line)
  t.match(err.message, /status 400$/)
  t.match(collected.text(), headers.canary)
  t.notMatch(logs(), headers.canary, 'the answer of a collector may have our credential in it')
  t.ok(lost >= 3, `${lost} spans`)
  t.ok(Number((await readMetrics(world)).get('livegate_trace_spans_lost_total')) >= lost)
  await close()
  t.strictSame(collected.spans(), [])
})
