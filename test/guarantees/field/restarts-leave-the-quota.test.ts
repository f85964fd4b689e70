/** Restarts neither exceed the vendor's quota nor eat it: lives over injected time here, and processes that are killed (`campaigns.ts`). */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { UpstreamBudgetExhausted } from '../../../src/domain/refusals/failures.ts'
import { presets } from '../../../src/domain/scope.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { spentBefore } from '../../../src/upstream/account/left-before.ts'
import { Habits } from '../../../src/upstream/account/observed.ts'
import { UpstreamSet } from '../../../src/upstream/account/upstream-set.ts'
import type { Priority } from '../../../src/upstream/provider.ts'
import { UpstreamBudget } from '../../../src/upstream/quota/budget.ts'
import { inspectQuotaFile, quotaFileIn, readQuotaFile } from '../../../src/upstream/quota/quota-file.ts'
import { QuotaFileWriter } from '../../../src/upstream/quota/quota-file-writer.ts'
import { accountOf } from '../../support/account.ts'
import { Dice, slowestMs } from '../../support/campaigns/dice.ts'
import { startProcess } from '../../support/cli.ts'
import { type ManualClock, manualClock } from '../../support/clock.ts'
import { environmentOf } from '../../support/config.ts'
import { addKey, addTenant, client } from '../../support/gateway.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'
import { openStoreHere } from '../../support/store.ts'

const account = accountOf({ url: 'https://api.dyte.io/v2', org: 'o', key: 'k' })
const deadlineMs = 500

interface Machine {
  quota: { calls: number; seconds: number }
  clock: ManualClock
  folder: string
  bootId: string
  dice: Dice
}

/** A gateway that starts on what another has left; its record is its own, since a killed one must write no more. */
async function live({ quota, clock, folder, bootId, dice }: Machine, number: number, left: string | null) {
  const file = quotaFileIn(folder, `life-${number}`)
  if (left !== null) writeFileSync(file, left)
  const start = { quota, deadlineMs, nowMs: clock.monotonic(), bootId, isWritable: true }
  const { spent } = spentBefore(await inspectQuotaFile(file), start)
  let recorder: QuotaFileWriter | undefined
  const onSent = (): void => recorder?.noticed()
  const budget = new UpstreamBudget({ quota, deadlineMs, clock, spentBefore: spent, onSent })
  const habits = new Habits({ account, clock })
  const upstream = {
    status: () => ({ budget: budget.status(), breaker: 'closed' as const, habits: habits.kept() }),
    tenants: () => budget.tenants(),
    spent: () => budget.spent()
  }
  recorder = new QuotaFileWriter({ name: 'default', upstream, file, clock, bootId, log: console, everyMs: 1e6 })
  await recorder.start()
  const arrivals: number[] = []
  /** Whether it went out. Its answer comes soon, late or never. */
  const ask = async (priority: Priority): Promise<boolean> => {
    for (let wait = recorder.untilReserved(); wait !== null; wait = recorder.untilReserved()) await wait
    try {
      const ticket = budget.admit({ tenantId: `tenant-${dice.between(0, 4)}`, priority })
      arrivals.push(clock.monotonic() + dice.between(0, deadlineMs))
      const fate = dice.between(0, 9)
      if (fate === 0) ticket.lost()
      else if (fate === 1) setImmediate(ticket.lost)
      else if (fate > 2) ticket.answered()
      return true
    } catch (error) {
      if (error instanceof UpstreamBudgetExhausted) return false
      throw error
    }
  }
  return { recorder, budget, ask, arrivals, onDisk: () => readFileSync(file, 'utf8') }
}

/** The most calls in any window. */
function mostIn(arrivals: number[], windowMs: number): number {
  const sorted = arrivals.toSorted((a, b) => a - b)
  let [most, from] = [0, 0]
  for (const [i, atMs] of sorted.entries()) {
    while ((sorted[from] ?? 0) <= atMs - windowMs) from += 1
    most = Math.max(most, i - from + 1)
  }
  return most
}

t.test('gateways that are killed at any moment, or stopped, never send more than the quota in any window', async t => {
  printSeed(t)
  for (const calls of [150, 2_000]) {
    const quota = { calls, seconds: 10 }
    const dice = new Dice(`lives ${calls}`)
    const machine: Machine = { quota, clock: manualClock(), folder: t.testdir(), bootId: 'first', dice }
    const { clock } = machine
    const arrivals: number[] = []
    let left: string | null = null
    clock.advance(quota.seconds * 1_000)
    const lives = 120
    for (let number = 0; number < lives; number++) {
      if (number === 60) machine.bootId = 'second'
      const { recorder, ask, arrivals: own, onDisk } = await live(machine, number, left)
      const bursts = dice.between(1, 3)
      for (let burst = 0; burst < bursts; burst++) {
        clock.advance(dice.between(0, quota.seconds * 40))
        const priority = dice.pick(['read', 'mutation'] as const)
        await Promise.all(Array.from({ length: dice.between(0, calls / 8) }, () => ask(priority)))
      }
      // Some calls go out in the very moment of the end, while the next block is being written.
      for (let i = dice.between(0, 12); i > 0 && recorder.untilReserved() === null; i--) ask('mutation')
      if (dice.chance(0.25)) await recorder.close()
      left = onDisk()
      arrivals.push(...own)
    }
    const passedMs = clock.monotonic() - quota.seconds * 1_000
    const most = mostIn(arrivals, quota.seconds * 1_000)
    t.ok(most <= calls, `${most} of ${calls} in a window, ${arrivals.length} calls of ${lives} lives in ${passedMs} ms`)
    const windows = passedMs / 1_000 / quota.seconds
    t.ok(arrivals.length > 0.5 * calls * windows, `${arrivals.length} calls in ${windows} windows: little is lost`)
  }
})

t.test('a crash loop that sends little leaves nearly all of the quota, however long it goes on', async t => {
  const quota = { calls: 1_200, seconds: 300 }
  const dice = new Dice('a crash loop')
  const machine: Machine = { quota, clock: manualClock(), folder: t.testdir(), bootId: 'first', dice }
  const exact = await live(machine, 0, null)
  machine.clock.advance(300_000)
  await exact.recorder.close()
  let left = exact.onDisk()
  let most = 0
  for (let number = 1; number <= 300; number++) {
    const { budget, ask, onDisk } = await live(machine, number, left)
    t.equal(await ask('mutation'), true, `life ${number}`)
    machine.clock.advance(3_000)
    most = Math.max(most, budget.status().used.other)
    left = onDisk()
  }
  // A hundred lives in a window, each with one call and at most two unknown.
  t.ok(most <= 310, `${most} of 1200 count as used`)
})

t.test('ten deployments in a window leave all of the quota but what was sent', async t => {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const dataDir = t.testdir()
  const clock = manualClock()
  const warnings: string[] = []
  const log = { error: console.error, warn: (_facts: object, message: string) => warnings.push(message) }
  const open = async () => {
    const set = new UpstreamSet({ dataDir, deadlineMs: 10_000, bootId: 'this boot', clock, log })
    await set.open([{ ...accountOf(simulator), quota: { calls: 2_000, seconds: 60 } }])
    const upstream = set.upstreams.get('default')
    if (upstream === undefined) throw new Error('no upstream')
    return { set, upstream }
  }
  const first = await open()
  t.equal(first.upstream.status().budget.used.other, 1_000, 'half of the quota where there is no record')
  t.match(warnings, [/no record/])
  await first.set.close()
  clock.advance(62_000)
  for (let deployment = 0; deployment <= 10; deployment++) {
    const { set, upstream } = await open()
    t.equal(upstream.status().budget.used.other, simulator.journal.length)
    t.equal(upstream.status().budget.left.stop, 2_000 - simulator.journal.length)
    for (let i = 0; i < 3; i++) await upstream.verifyCredential(AbortSignal.timeout(10_000))
    clock.advance(1_000)
    await set.close()
  }
  t.equal(simulator.journal.length, 33)
  t.equal(warnings.length, 1, 'whoever has a record is not warned')
})

const restarts = countOf('restarts')
/** All lives are in one window, and half of it counts as used before the first: what reads may use of the rest must hold them all. */
const quota = 4_000
t.setTimeout(Math.max(60_000, restarts * slowestMs))
t.test(
  `a gateway that is killed ${restarts} times, and then stopped, counts what it has sent and little more`,
  async t => {
    const { start, journal, left } = await deployed(t)
    for (let kill = 0; kill < restarts; kill++) {
      const { ask, process } = await start()
      t.strictSame(new Set(await ask()), new Set([200, 201]))
      process.signal('SIGKILL')
      await process.ended
    }
    const { spent, reserved } = await left()
    // Nobody had left a record to the first one.
    const [counted, sent] = [spent + reserved - quota / 2, journal.length]
    t.ok(counted >= sent && counted <= 2 * (sent + restarts), `${counted} count as used, ${sent} were sent`)

    const { ask, process } = await start()
    await ask()
    process.signal('SIGTERM')
    t.match(await process.ended, { code: 0 })
    t.strictSame(await left(), { spent: spent + reserved + journal.length - sent, reserved: 0 })
  }
)

/** A store for gateways that come and go, as processes of their own. */
async function deployed(t: Test) {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const storeFile = join(t.testdir(), 'livegate.db')
  const store = await openStoreHere(storeFile)
  const meetings = Array.from({ length: 5 }, () => simulator.addMeeting().id)
  await addTenant(store, 'acme', ...meetings)
  const { key } = await addKey(store, 'acme', presets.owner)
  await store.close()
  const env = {
    DATABASE_URL: `sqlite:${storeFile}`,
    ...environmentOf(simulator),
    LIVEGATE_UPSTREAM_BUDGET: `${quota}/3600`,
    LIVEGATE_DEADLINE_MS: '5000',
    PORT: '0'
  }
  const start = async () => {
    const process = startProcess(t, ['serve'], env)
    const [, url = ''] = await process.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
    const call = client(url, `Bearer ${key}`)
    /** A read of each of five meetings, a start and a stop. */
    const ask = async (): Promise<number[]> => {
      const reads = await Promise.all(meetings.map(id => call('GET', `/v2/meetings/${id}`)))
      const started = await call('POST', `/v2/meetings/${meetings[0]}/livestreams`)
      const stopped = await call('POST', `/v2/meetings/${meetings[0]}/active-livestream/stop`)
      return [...reads, started, stopped].map(({ statusCode }) => statusCode)
    }
    return { process, ask }
  }
  /** Calls that a gateway which starts now would count: those on record, and those that may have been sent after it. */
  const left = async (): Promise<{ spent: number; reserved: number }> => {
    const record = await readQuotaFile(quotaFileIn(dirname(storeFile), 'default'))
    const { spent = [], reserved = Number.NaN } = record ?? {}
    return { spent: spent.reduce((sum, { calls }) => sum + calls, 0), reserved }
  }
  return { start, left, journal: simulator.journal }
}
