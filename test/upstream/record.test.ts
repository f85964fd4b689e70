import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { uptime } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { UpstreamBudget } from '../../src/upstream/budget.ts'
import { Habits } from '../../src/upstream/habits.ts'
import {
  canRecord,
  habitsBefore,
  readRecord,
  recordFile,
  spentBefore,
  UpstreamRecorder
} from '../../src/upstream/record.ts'
import { accountOf } from '../support/account.ts'
import { manualClock, steps } from '../support/clock.ts'
import { until } from '../support/until.ts'

const quota = { calls: 100, seconds: 60 }
const account = accountOf({ url: 'https://api.dyte.io/v2', org: 'o', key: 'k' })

function recorderOf(folder: string) {
  const clock = manualClock()
  let noticed = (): void => {}
  const budget = new UpstreamBudget({ quota, deadlineMs: 1_000, clock, onSent: () => noticed() })
  const habits = new Habits({ account, clock })
  const troubles: unknown[] = []
  const upstream = {
    status: () => ({ budget: budget.status(), breaker: 'closed' as const, habits: habits.kept() }),
    tenants: () => budget.tenants(),
    spent: () => budget.spent()
  }
  const log = { error: (facts: object) => troubles.push(facts) }
  const recorder = new UpstreamRecorder({
    name: 'default',
    upstream,
    file: recordFile(folder, 'default'),
    clock,
    log,
    everyMs: 1
  })
  noticed = () => recorder.noticed()
  const call = (times: number): void => {
    for (let i = 0; i < times; i++) budget.admit({ tenantId: 'acme', lane: 'stop' }).answered()
  }
  return { clock, budget, habits, recorder, troubles, call, file: recordFile(folder, 'default') }
}

t.test('what was used is there for the next process, and readable by its owner alone', async t => {
  const { recorder, call, file, clock } = recorderOf(t.testdir())
  await recorder.start()
  t.match(await readRecord(file), { upstream: 'default', quota: 100, used: { stop: 0 }, spent: [] })
  call(1)
  clock.advance(1_000)
  await until(async () => (await readRecord(file))?.used.stop === 1)
  call(5)
  // A twentieth of the quota is written at once.
  await until(async () => (await readRecord(file))?.used.stop === 6)
  call(1)
  await recorder.close()
  const record = await readRecord(file)
  t.match(record, { used: { stop: 7 }, tenants: [{ tenantId: 'acme', reads: 0, mutations: 0, stops: 7 }] })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.strictSame(readdirSync(join(file, '..')), ['upstream-default.json'], 'nothing half-written stays')
})

t.test('a record shows what has left the window, also when nothing is asked any more', async t => {
  const { recorder, call, file, clock } = recorderOf(t.testdir())
  await recorder.start()
  call(6)
  await until(async () => (await readRecord(file))?.used.stop === 6)
  clock.advance(61_000)
  await until(async () => (await readRecord(file))?.used.stop === 0)
  await recorder.close()
})

t.test('a folder that cannot be written is said once, and nobody is held up by it', async t => {
  const folder = t.testdir()
  const { recorder, call, troubles, file } = recorderOf(join(folder, 'missing'))
  await recorder.start()
  call(50)
  await recorder.write()
  await recorder.close()
  t.equal(existsSync(file), false)
  t.equal(await canRecord(file), false)
  t.equal(await canRecord(recordFile(folder, 'default')), true)
  t.equal(troubles.length, 1)
})

t.test('a record that cannot be read or is something else counts as none', async t => {
  const file = recordFile(t.testdir(), 'default')
  t.equal(await readRecord(file), null)
  for (const text of ['', '{', '[]', '{"upstream":"default"}', 'null']) {
    writeFileSync(file, text)
    t.equal(await readRecord(file), null, text)
  }
  chmodSync(file, 0o600)
})

t.test('after a start half of the quota counts as used, or what is on record and a little more', async t => {
  const total = (spent: { calls: number }[]): number => spent.reduce((sum, { calls }) => sum + calls, 0)
  const at = (nowMs: number) => ({ nowMs, upMs: 0 })
  t.equal(total(spentBefore(null, quota, at(0))), 50)
  const record = (calls: number, forMs = 60_000) => ({ atMs: 1_000_000, spent: [{ calls, forMs }] })
  t.equal(total(spentBefore(record(10), quota, at(1_000_500))), 50)
  t.equal(total(spentBefore(record(10, 10_000), quota, at(1_010_000))), 50, 'what is over does not count')
  t.equal(total(spentBefore(record(80), quota, at(1_000_500))), 85)
  t.equal(total(spentBefore(record(80), quota, at(1_100_000))), 50, 'an old record says nothing')
  t.equal(total(spentBefore(null, quota, at(0), false)), 75, 'and more when nothing can be written down')
  t.equal(total(spentBefore(record(10), quota, at(1_000_500), false)), 75)
})

t.test('a clock that was set between two gateways makes nothing free', async t => {
  const record = { atMs: 1_000_000, upMs: 500_000, spent: [{ calls: 80, forMs: 30_000 }] }
  const known = (nowMs: number, upMs: number) => spentBefore(record, quota, { nowMs, upMs }).slice(0, -1)
  const left = [{ calls: 80, forMs: 28_000 }]
  t.strictSame(known(1_002_000, 502_000), left)
  for (const stepMs of steps.filter(ms => ms > 0))
    t.strictSame(known(1_002_000 + stepMs, 502_000), left, `${stepMs} ms`)
  for (const stepMs of steps.filter(ms => ms < 0)) t.strictSame(known(1_002_000 + stepMs, 502_000), record.spent)
  t.strictSame(known(1_040_000, 540_000), [], 'what is over is free')
  t.strictSame(known(1_040_000, 20_000), [{ calls: 80, forMs: 10_000 }], 'the machine was started again meanwhile')
  t.strictSame(known(1_002_000, 900_000), left, 'a machine that has been up for longer')
})

t.test('a gateway that crashes in a loop does not spend more than the quota in any window', async t => {
  const folder = t.testdir()
  const file = recordFile(folder, 'default')
  const clock = manualClock()
  const sent: number[] = []
  for (let life = 0; life < 100; life++) {
    const spent = spentBefore(await readRecord(file), quota, {
      nowMs: clock.now(),
      upMs: uptime() * 1_000 + clock.monotonic()
    })
    const budget = new UpstreamBudget({ quota, deadlineMs: 1_000, clock, spentBefore: spent })
    const habits = new Habits({ account, clock })
    const upstream = {
      status: () => ({ budget: budget.status(), breaker: 'closed' as const, habits: habits.kept() }),
      tenants: () => budget.tenants(),
      spent: () => budget.spent()
    }
    const recorder = new UpstreamRecorder({ name: 'default', upstream, file, clock, log: console, everyMs: 1e6 })
    await recorder.start()
    // As much as is sent before the next record is due.
    for (let i = 0; i < 5; i++) {
      try {
        budget.admit({ tenantId: `tenant-${i}`, lane: 'mutation' }).answered()
        sent.push(clock.monotonic())
      } catch {}
    }
    clock.advance(700)
  }
  const most = Math.max(...sent.map(fromMs => sent.filter(atMs => atMs >= fromMs && atMs < fromMs + 60_000).length))
  t.ok(sent.length > 20, `${sent.length} calls in 70 s`)
  t.ok(most <= 100, `${most} in a minute`)
})

t.test("what was seen of the vendor's ways is written when it is seen, and lasts as long as it did", async t => {
  const { recorder, habits, file, clock } = recorderOf(t.testdir())
  await recorder.start()
  clock.advance(1_000)
  habits.noteSecondStartRefused()
  await until(async () => (await readRecord(file))?.habits?.refusesSecondStart === true)
  clock.advance(1_000)
  for (let i = 0; i < 3; i++) habits.noteFailedWhenNothingWasLive()
  await until(async () => ((await readRecord(file))?.habits?.failsForMs ?? 0) > 0)
  await recorder.close()
  const record = await readRecord(file)
  const after = (ms: number) => new Habits({ account, clock, before: habitsBefore(record, clock.now() + ms) })
  t.match(after(3_599_000), { refusesSecondStart: true, failsWhenNothingIsLive: true })
  t.match(after(3_600_000), { refusesSecondStart: true, failsWhenNothingIsLive: false })
  t.equal(habitsBefore(record, clock.now() - 86_400_000)?.failsForMs, 3_600_000, 'also when the clock was set back')
})

t.test('a record of a version that knew no habits is read', async t => {
  const { recorder, file } = recorderOf(t.testdir())
  await recorder.start()
  await recorder.close()
  const { habits: _habits, ...old } = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify(old))
  const record = await readRecord(file)
  t.match(record, { upstream: 'default', habits: undefined })
  t.equal(habitsBefore(record, 0), undefined)
  t.equal(habitsBefore(null, 0), undefined)
})
