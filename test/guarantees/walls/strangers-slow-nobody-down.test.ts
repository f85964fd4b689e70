/** Calm and flooded moments alternate, and only what the same run saw is compared: what else the machine does hits both alike. */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { startNode, startProcess } from '../../support/cli.ts'
import { manualClock } from '../../support/clock.ts'
import { environmentOf } from '../../support/config.ts'
import { addKey, addTenant, client, gateway } from '../../support/gateway.ts'
import { openStoreHere } from '../../support/store.ts'

const page = 'https://app.example.com'
const preflight = (path: string): string =>
  [`OPTIONS ${path}`, 'access-control-request-method: POST', `origin: ${page}`].join('\n')

/** Calls that need no key, and calls that are refused without one. */
const keyless = [
  'GET /openapi.json',
  'GET /openapi.json\naccept-encoding: gzip',
  'GET /docs',
  'GET /docs/json',
  'GET /docs/static/index.html',
  'GET /docs/static/swagger-ui-bundle.js',
  'GET /livez',
  'GET /readyz',
  'GET /nowhere',
  'GET /v2/livestreams',
  'POST /webhooks/default',
  'POST /webhooks/nowhere',
  `POST /webhooks/default\nrtk-signature: ${Buffer.alloc(256).toString('base64')}`,
  preflight('/v2/meetings/m1/livestreams'),
  preflight('/v2/meetings/m1/active-livestream/stop'),
  'OPTIONS /nowhere',
  'OPTIONS /v2/meetings/m1/active-livestream/stop',
  `${preflight('/v2/meetings/m1/livestreams')}.evil.example`,
  `${preflight('/v2/meetings/m1/active-livestream/stop')}.evil.example`
]

const rounds = 4
const pairs = 4
/** A start and its stop may take so many times as long beside sixteen that are answered in turn with them. */
const most = 20

/** A gateway as a process of its own, with a tenant. */
async function served(t: Test, env: Record<string, string>) {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const storeFile = join(t.testdir(), 'livegate.db')
  const store = await openStoreHere(storeFile)
  const meeting = simulator.addMeeting().id
  await addTenant(store, 'acme', meeting)
  const { key } = await addKey(store, 'acme', presets.owner)
  await store.close()
  const serving = startProcess(t, ['serve'], {
    DATABASE_URL: `sqlite:${storeFile}`,
    ...environmentOf(simulator),
    LIVEGATE_UPSTREAM_BUDGET: '1000000/60',
    LIVEGATE_WRITE_LIMIT: '1000000/60',
    LIVEGATE_CORS_ORIGINS: page,
    PORT: '0',
    ...env
  })
  const [, url = ''] = await serving.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
  const ask = client(url, `Bearer ${key}`)
  /** How long a start and its stop took, in ms. */
  const startAndStop = async (): Promise<number> => {
    const begunAtMs = performance.now()
    const started = await ask('POST', `/v2/meetings/${meeting}/livestreams`)
    const stopped = await ask('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
    t.strictSame([started.statusCode, stopped.statusCode], [201, 200])
    return performance.now() - begunAtMs
  }
  return { url, startAndStop }
}

/** Medians, in ms, and how many answers the strangers have had meanwhile. */
async function compared(t: Test, { url, startAndStop }: Awaited<ReturnType<typeof served>>, calls: readonly string[]) {
  const flood = startNode(t, ['test/support/campaigns/keyless-flood.ts'], { URL: url, CALLS: JSON.stringify(calls) })
  await flood.line(/floods/)
  const times: Record<'calm' | 'flooded', number[]> = { calm: [], flooded: [] }
  for (let round = 0; round < 2 * rounds; round++) {
    const name = round % 2 === 0 ? 'calm' : 'flooded'
    flood.signal(name === 'calm' ? 'SIGSTOP' : 'SIGCONT')
    // Something of the round before may still be under way.
    await startAndStop()
    for (let i = 0; i < pairs; i++) times[name].push(await startAndStop())
  }
  flood.signal('SIGTERM')
  const [, answers = ''] = await flood.line(/^(\{.*\})$/m)
  const counts = Object.values<number>(JSON.parse(answers))
  return { calm: median(times.calm), flooded: median(times.flooded), answers: counts.reduce((a, b) => a + b, 0) }
}

function median(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}

t.test('sixteen strangers who call without end, from however many addresses, hold up no start and no stop', async t => {
  // As if each of them called from an address of its own.
  const world = await served(t, { LIVEGATE_ADDRESS_LIMIT: '1000000/60' })
  for (const [what, calls] of [
    ['the document', ['GET /openapi.json']],
    ['all that needs no key', keyless]
  ] as const) {
    const { calm, flooded, answers } = await compared(t, world, calls)
    t.ok(answers > 200, `${answers} answers to them: ${what}`)
    t.ok(flooded <= most * calm, `${flooded.toFixed()} ms beside them, ${calm.toFixed()} ms in calm: ${what}`)
  }
})

t.test('a call without a key counts against its address, but for health and the preflight of a stop', async t => {
  const clock = manualClock()
  const limit = { calls: 10, seconds: 60, burst: 10 }
  const { app, directory } = await gateway(t, { clock, config: { addressLimit: limit, corsOrigins: [page] } })
  const refusedOf = async (call: string, times: number): Promise<number> => {
    clock.advance(60_000)
    await directory.pull()
    const [line = '', ...fields] = call.split('\n')
    const [method = '', url = ''] = line.split(' ')
    const headers = Object.fromEntries(fields.map(field => field.split(': ')))
    let refused = 0
    for (let i = 0; i < times; i++) {
      const { statusCode } = await app.inject({ method: method as 'GET', url, headers })
      if (statusCode === 429) refused += 1
    }
    return refused
  }
  const { body } = await app.inject('/docs/')
  const files = [...body.matchAll(/(?:src|href)="\.\/(static\/[^"]+)"/g)].map(([, file]) => `GET /docs/${file}`)
  t.ok(files.length >= 5, files.join(', '))
  for (const call of new Set([...keyless, ...files])) {
    const isPreflight = call.endsWith(`origin: ${page}`)
    const isFree = /\/(?:livez|readyz)$/.test(call) || (isPreflight && call.includes('/active-livestream/stop'))
    t.equal(await refusedOf(call, 110), isFree ? 0 : isPreflight ? 10 : 100, call.replaceAll('\n', ', '))
  }
})
