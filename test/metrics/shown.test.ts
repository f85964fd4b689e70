import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import t from 'tap'
import type { Definition } from '../../src/metrics/definition.ts'
import { usual } from '../../src/metrics/definitions/all.ts'
import { type ListenerOptions, MetricsListener } from '../../src/metrics/listener.ts'
import { stayAwake } from '../support/awake.ts'
import { gateway, type TestContext } from '../support/gateway.ts'
import { metricsUrl, readMetrics, type Shown, seriesIn, showing } from '../support/metrics/read.ts'
import { until } from '../support/until.ts'

t.test('a gateway shows what it does at a port of its own, and at no other', async t => {
  const world = await gateway(t, { config: { metrics: showing, readTtlMs: 60_000 } })
  const { asAcme, as, meeting, otherMeeting } = world
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {})
  for (let i = 0; i < 3; i++) await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  const during = await readMetrics(world)
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`, {})
  await asAcme('POST', `/v2/meetings/${otherMeeting}/active-livestream/stop`, {})
  await as(null)('GET', '/v2/livestreams')
  await as(null)('GET', '/nowhere')
  t.equal((await as(null)('GET', '/metrics')).statusCode, 404, 'callers never see them')
  const url = metricsUrl(world)
  t.not(new URL(url).port, new URL(world.url).port)
  t.equal((await fetch(new URL('/', url))).status, 404)
  t.equal((await fetch(url, { method: 'POST' })).status, 404)
  const answer = await fetch(url)
  t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const series = seriesIn(await answer.text())
  const isShown = (name: string, value: number): boolean => t.equal(series.get(name), value, name)
  isShown('livegate_starts_total{result="started"}', 1)
  isShown('livegate_stops_total{result="stopped"}', 1)
  isShown('livegate_stop_duration_seconds_count{result="stopped"}', 1)
  isShown('livegate_run_ends_total{reason="tenant"}', 1)
  isShown('livegate_requests_total{operation="getActiveLivestream",status="2xx",outcome="done"}', 3)
  isShown('livegate_requests_total{operation="stopLivestream",status="4xx",outcome="refused"}', 1)
  isShown('livegate_requests_total{operation="listLivestreams",status="4xx",outcome="refused"}', 1)
  isShown('livegate_requests_total{operation="unknown",status="4xx",outcome="refused"}', 2)
  isShown('livegate_shared_reads_total{how="hit"}', 3)
  isShown('livegate_upstream_calls_total{upstream="default",priority="stop",status="2xx"}', 1)
  isShown('livegate_breaker_open{upstream="default"}', 0)
  isShown('livegate_ready', 1)
  isShown('livegate_tenants', 2)
  t.equal(goingOn(during), 1)
  t.equal(goingOn(series), 0)
  t.ok((series.get('livegate_audit_append_duration_seconds_count') ?? 0) >= 4)
  t.ok((series.get('livegate_store_write_duration_seconds_count') ?? 0) >= 4)
  t.ok((series.get('process_resident_memory_bytes') ?? 0) > 1e6)
  t.equal(
    [...series.keys()].some(name => name.includes('tenant="')),
    false
  )
  for (const id of [meeting, otherMeeting])
    t.equal(
      [...series.keys()].some(name => name.includes(id)),
      false
    )
  const names = new Set([...series.keys()].map(name => name.replace(/\{.*/, '')))
  for (const [name, { kind, labels, values }] of Object.entries<Definition>(usual)) {
    // All but those whose labels come with what happens.
    if (labels.length === 0 || values.length > 0) t.ok(names.has(kind === 'histogram' ? `${name}_count` : name), name)
  }
})

t.test('a caller that hangs up is counted too, and so is a call that is held back from the vendor', async t => {
  const world = await gateway(t, { config: { metrics: showing, deadlineMs: 60_000 } })
  const { asAcme, url, meeting, simulator, withKey } = world
  const { key } = await withKey('acme', ['livestreams:read'])
  simulator.failNext({ match: { method: 'GET' }, stall: true })
  const leaving = new AbortController()
  const headers = { authorization: `Bearer ${key}` }
  const left = fetch(`${url}/v2/meetings/${meeting}/active-livestream`, { headers, signal: leaving.signal })
  await until(async () => simulator.journal.length > 0)
  leaving.abort()
  await t.rejects(left)
  const none = 'livegate_requests_total{operation="getActiveLivestream",status="none",outcome="unknown"}'
  await until(async () => (await readMetrics(world)).get(none) === 1)
  simulator.fail({ status: 503 })
  const held = 'livegate_upstream_held_back_total{upstream="default",priority="read",reason="upstream_unavailable"}'
  await until(async () => {
    await asAcme('GET', `/v2/meetings/${meeting}`)
    return ((await readMetrics(world)).get(held) ?? 0) > 0
  })
  const series = await readMetrics(world)
  t.equal(series.get('livegate_breaker_open{upstream="default"}'), 1)
  t.ok((series.get('livegate_upstream_calls_total{upstream="default",priority="read",status="5xx"}') ?? 0) >= 5)
  t.equal(series.get('livegate_upstream_calls_total{upstream="default",priority="read",status="none"}'), 1)
})

/** How many runs go on, in whatever status. */
function goingOn(series: Shown): number {
  return ['starting', 'invoked', 'live'].reduce(
    (sum, one) => sum + (series.get(`livegate_live_runs{status="${one}"}`) ?? 0),
    0
  )
}

/** A listener at a free port that shows this text. */
function listening(t: TestContext, options: Partial<ListenerOptions>) {
  const troubles: unknown[] = []
  const { promise: url, resolve: onListen } = Promise.withResolvers<string>()
  const onTrouble = (error: unknown): number => troubles.push(error)
  const given = {
    host: '127.0.0.1',
    port: 0,
    contentType: 'text/plain',
    restMs: 0,
    text: async () => 'all',
    ...options
  }
  const listener = new MetricsListener({ ...given, onListen, onTrouble })
  t.teardown(() => listener.close())
  return { listener, troubles, url }
}

t.test('a port that is taken holds up no start, and is tried again until it is free', async t => {
  stayAwake(t)
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { listener, troubles, url } = listening(t, { port, retryEveryMs: 5 })
  await listener.start()
  t.match(troubles, [{ code: 'EADDRINUSE' }])
  other.close()
  t.equal(await (await fetch(await url)).text(), 'all')
})

t.test('metrics that cannot be made are told of and answered 500, and the gateway goes on', async t => {
  stayAwake(t)
  const text = (): Promise<string> => Promise.reject(new Error('broken'))
  const { listener, troubles, url } = listening(t, { host: '::1', text })
  await listener.start()
  t.match(await url, /^http:\/\/\[::1\]:\d+\/metrics$/)
  t.equal((await fetch(await url)).status, 500)
  t.match(troubles, [{ message: 'broken' }])
})

t.test('readers who come while the text is made, or soon after, share it', async t => {
  stayAwake(t)
  let made = 0
  const { promise: ready, resolve } = Promise.withResolvers<void>()
  const text = async (): Promise<string> => {
    made += 1
    await ready
    return `${made}`
  }
  const { listener, url } = listening(t, { text, restMs: 3_600_000 })
  await listener.start()
  const answers = Array.from({ length: 4 }, async () => (await fetch(await url)).text())
  await url
  resolve()
  t.strictSame(await Promise.all(answers), ['1', '1', '1', '1'])
  t.equal(await (await fetch(await url)).text(), '1')
})

t.test('connections on which nobody asks keep no reader out for long', async t => {
  stayAwake(t)
  const { listener, url } = listening(t, { requestWithinMs: 20 })
  await listener.start()
  const address = await url
  const silent = Array.from({ length: 16 }, () =>
    connect(Number(new URL(address).port), '127.0.0.1').on('error', () => {})
  )
  await Promise.all(silent.map(socket => once(socket, 'connect')))
  await t.rejects(fetch(address), 'there is no room')
  await Promise.all(silent.map(socket => once(socket.resume(), 'close', { signal: AbortSignal.timeout(10_000) })))
  t.equal(await (await fetch(address)).text(), 'all')
})

t.test('a gateway without metrics opens no port for them, and tells nobody of anything', async t => {
  const { logs, asAcme } = await gateway(t)
  t.equal((await asAcme('GET', '/v2/livestreams')).statusCode, 200)
  t.notMatch(logs(), 'metrics')
})

t.test(
  'prom-client is loaded by a gateway with metrics alone, OpenTelemetry by one with a collector, and iovalkey by one with Valkey',
  async t => {
    const code = (file: string): string => readFileSync(file, 'utf8')
    const loaded = /^import (?!type )[^;]*?'([^']+)'/gm
    const loadersOf = (name: string): string[] =>
      globSync('src/**/*.ts').filter(file =>
        [...code(file).matchAll(loaded)].some(([, from = '']) => from.endsWith(name))
      )
    t.strictSame(loadersOf('prom-client'), ['src/metrics/metrics.ts'])
    t.strictSame(loadersOf('metrics/metrics.ts'), [], 'which is loaded when it is wanted')
    const ofTraces = globSync('src/**/*.ts').filter(file => /^import (?!type ).*'@opentelemetry/m.test(code(file)))
    t.strictSame(ofTraces.sort(), ['src/tracing/recording.ts', 'src/tracing/span-export.ts'])
    t.strictSame(loadersOf('/span-export.ts'), ['src/tracing/recording.ts'])
    t.strictSame(loadersOf('/recording.ts'), [], 'which is loaded when it is wanted')
    t.strictSame(loadersOf('iovalkey'), ['src/valkey/client.ts'])
    t.strictSame(
      loadersOf('/client.ts').filter(file => file.startsWith('src/valkey/')),
      ['src/valkey/link.ts']
    )
    for (const part of ['link', 'counter', 'quota', 'versions']) t.strictSame(loadersOf(`/valkey/${part}.ts`), [], part)
  }
)
