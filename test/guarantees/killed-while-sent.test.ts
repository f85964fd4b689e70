/**
 * Bar B3. A normal run has 20 kills; all 500: `LIVEGATE_KILLS=500 npm test -- --disable-coverage --timeout=1800 <this file>`.
 * It prints its seed; `LIVEGATE_SEED=<seed>` makes the same choices again.
 */
import t from 'tap'
import { presets } from '../../src/domain/scope.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { meetingsIn } from '../../src/store/meetings.ts'
import { operationsIn } from '../../src/store/operations.ts'
import { commandLine, type Running, startProcess } from '../support/cli.ts'
import { addKey, addTenant, client, type TestContext } from '../support/gateway.ts'
import { openStoreHere } from '../support/store.ts'
import { until } from '../support/until.ts'
import { Dice, seed, wanted } from './campaign.ts'
import { on } from './campaign-faults.ts'
import { inMemory } from './in-memory.ts'

const gateways = 4
const killsOfEach = Math.ceil(wanted('LIVEGATE_KILLS', 20) / gateways)
/** So long that no call ends by itself before the kill. */
const deadlineMs = 6_000
const settleMs = 30_000

t.test(
  `killed ${gateways * killsOfEach} times while the vendor has its calls, a gateway settles or lists every one`,
  async t => {
    t.comment(`LIVEGATE_SEED=${seed}`)
    const campaigns = await Promise.all(Array.from({ length: gateways }, (_, i) => killed(t, `gateway ${i}`)))
    for (const { left, expected } of campaigns) t.strictSame(left, expected)
  }
)

/** What is left in the store of a gateway that was killed so often, and what should be. */
async function killed(t: TestContext, name: string) {
  const dice = new Dice(name)
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const { env, storeFile, json } = commandLine(inMemory(t))
  const store = await openStoreHere(storeFile, { busyTimeoutMs: 10_000 })
  t.teardown(() => store.close())
  const operations = operationsIn(store)
  await addTenant(store, 'acme')
  const { key } = await addKey(store, 'acme', presets.owner)

  const serve = async (): Promise<Running & { url: string }> => {
    const running = startProcess(t, ['serve'], {
      ...env,
      PORT: '0',
      DYTE_BASE_URL: simulator.url,
      DYTE_ORG_ID: simulator.org,
      DYTE_API_KEY: simulator.key,
      LIVEGATE_DEADLINE_MS: String(deadlineMs),
      LIVEGATE_SETTLE_MS: String(settleMs)
    })
    const [, url = ''] = await running.line(/"url":"([^"]+)".*livegate listens/)
    return { ...running, url }
  }

  /** By request id. */
  const rows = async () => new Map((await operations.list({ limit: 1_000_000 })).map(row => [row.requestId, row]))
  const expected: Record<string, string> = {}
  let running = await serve()
  for (let kill = 0; kill < killsOfEach; kill++) {
    const [fresh, live, changed] = Array.from({ length: 3 }, () => simulator.addMeeting().id) as [
      string,
      string,
      string
    ]
    await meetingsIn(store).assign('acme', 'default', [fresh, live, changed], Date.now())
    simulator.startFromBrowser(live)
    const calls = [
      { ...on(fresh).start, settled: true },
      { ...on(live).stop, settled: true },
      { method: 'POST', path: '/meetings', settled: false },
      { method: 'PATCH', path: `/meetings/${changed}`, settled: false }
    ]
    const arrivedBefore = simulator.journal.filter(({ fault }) => fault?.stall).length
    for (const [i, { method, path, settled }] of calls.entries()) {
      const afterWork = dice.chance(0.5)
      simulator.failNext({ stall: true, afterWork, match: { method, path } })
      const id = `${kill}-${method}-${i}`
      // A start has come to what the vendor made of it; a stop is repeated; of the others nobody can tell.
      expected[id] = !settled ? 'unknown, listed' : i === 0 && !afterWork ? 'failed' : 'done'
      client(running.url, `Bearer ${key}`)(method, `/v2${path}`, {}, { 'x-request-id': id }).catch(() => {})
    }
    await until(() => simulator.journal.filter(({ fault }) => fault?.stall).length === arrivedBefore + calls.length)
    const caught = [...(await rows()).values()].filter(({ state }) => state === 'sent').length
    if (caught !== calls.length) throw new Error(`killed with ${caught} operations in the state sent`)
    running.signal('SIGKILL')
    await running.ended
    running = await serve()
  }

  const settles = ['start', 'stop']
  await until(
    async () =>
      (await operations.unsettled()).every(({ kind, state }) => state === 'unknown' && !settles.includes(kind)),
    settleMs
  )
  const listed = new Set(
    (await json('operation', 'list', '--open', '--limit', '999999')).map(({ id }: { id: string }) => id)
  )
  const left = Object.fromEntries(
    [...(await rows())].map(([requestId, { id, state }]) => [requestId, state + (listed.has(id) ? ', listed' : '')])
  )
  const live = simulator.livestreams().filter(({ status }) => status === 'LIVE').length
  return {
    left: { ...left, live },
    expected: {
      ...expected,
      live: Object.entries(expected).filter(([id, end]) => id.endsWith('-0') && end === 'done').length
    }
  }
}
