/** Bar B3: all 500 kills in a campaign (`campaigns.ts`), two in a normal run. */
import t from 'tap'
import { canBeReconciled } from '../../../src/domain/operation.ts'
import { presets } from '../../../src/domain/scope.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { on } from '../../support/campaigns/campaign-faults.ts'
import { Dice, slowestMs } from '../../support/campaigns/dice.ts'
import { commandLine, type Running, runProcess, startProcess } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { addKey, addTenant, client, type TestContext } from '../../support/gateway.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'
import { openStoreHere } from '../../support/store.ts'
import { until } from '../../support/until.ts'

const gateways = Math.min(4, countOf('kills'))
const killsOfEach = countOf('kills') / gateways
/** So long that no call ends by itself before the kill. */
const deadlineMs = 6_000
const settleMs = 30_000

t.setTimeout(killsOfEach * slowestMs)
t.test(
  `killed ${gateways * killsOfEach} times while the vendor has its calls, a gateway settles or lists every one`,
  async t => {
    printSeed(t)
    // A process that is killed keeps nothing of what it has compiled: this one does.
    await runProcess(t, ['openapi'])
    const campaigns = await Promise.all(Array.from({ length: gateways }, (_, i) => killed(t, i)))
    for (const { left, expected } of campaigns) t.strictSame(left, expected)
  }
)

/** The operations left in the store of a gateway that was killed so often, and those that should be. */
async function killed(t: TestContext, gateway: number) {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const { env, storeFile, json } = commandLine(t)
  const store = await openStoreHere(storeFile, { busyTimeoutMs: 10_000 })
  t.teardown(() => store.close())
  const operations = operationsIn(store)
  await addTenant(store, 'acme')
  const { key } = await addKey(store, 'acme', presets.owner)

  const serve = async (): Promise<Running & { url: string }> => {
    const running = startProcess(t, ['serve'], {
      ...env,
      PORT: '0',
      ...environmentOf(simulator),
      LIVEGATE_DEADLINE_MS: String(deadlineMs),
      LIVEGATE_SETTLE_MS: String(settleMs)
    })
    const [, url = ''] = await running.line(/"url":"([^"]+)".*livegate listens/)
    return { ...running, url }
  }

  /** By request id. */
  const rows = async () => (await operations.list({ limit: 1_000_000 })).map(row => [row.requestId, row] as const)
  const arrived = (): number =>
    simulator.journal.filter(({ fault, executed }) => fault?.stall && executed === fault.afterWork).length
  const expected: Record<string, string> = {}
  let live = 0
  let running = await serve()
  for (let kill = 0; kill < killsOfEach; kill++) {
    const meetings = Array.from({ length: 3 }, () => simulator.addMeeting().id)
    const [fresh = '', stopped = '', changed = ''] = meetings
    await meetingsIn(store).assign('acme', 'default', meetings, Date.now())
    simulator.startFromBrowser(stopped)
    const calls = {
      start: on(fresh).start,
      stop: on(stopped).stop,
      create: { method: 'POST', path: '/meetings' },
      change: { method: 'PATCH', path: `/meetings/${changed}` }
    }
    const number = gateway * killsOfEach + kill
    for (const [kind, { method, path }] of Object.entries(calls)) {
      // Each call meets two kills: one before the vendor does its work, and one after.
      const afterWork = new Dice(`${kind} of ${Math.floor(number / 2)}`).chance(0.5) === (number % 2 === 0)
      simulator.failNext({ stall: true, afterWork, match: { method, path } })
      const id = `${kind}-${kill}`
      // A start has come to what the vendor made of it, and a stop is repeated; of the others nobody can tell.
      expected[id] = { start: afterWork ? 'done' : 'failed', stop: 'done' }[kind] ?? 'unknown, listed'
      if (kind === 'start' && afterWork) live += 1
      client(running.url, `Bearer ${key}`)(method, `/v2${path}`, {}, { 'x-request-id': id }).catch(() => {})
    }
    await until(() => arrived() === 4 * (kill + 1), deadlineMs)
    const sent = (await rows()).filter(([, { state }]) => state === 'sent')
    if (sent.length !== 4) throw new Error(`killed with ${sent.length} operations in the state sent`)
    running.signal('SIGKILL')
    await running.ended
    running = await serve()
  }

  await until(async () => (await operations.unsettled()).every(({ kind }) => !canBeReconciled(kind)), settleMs)
  const open: { id: string }[] = await json('operation', 'list', '--open', '--limit', '999999')
  const isListed = (id: string): boolean => open.some(one => one.id === id)
  const left = (await rows()).map(([requestId, { id, state }]) => [
    requestId,
    isListed(id) ? `${state}, listed` : state
  ])
  return {
    left: {
      ...Object.fromEntries(left),
      live: simulator.livestreams().filter(({ status }) => status === 'LIVE').length
    },
    expected: { ...expected, live }
  }
}
