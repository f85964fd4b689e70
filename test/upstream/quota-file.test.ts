import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Habits } from '../../src/upstream/account/habits.ts'
import { UpstreamBudget } from '../../src/upstream/quota/budget.ts'
import {
  canWriteQuotaFile,
  habitsBefore,
  inspectQuotaFile,
  quotaFileIn,
  readQuotaFile
} from '../../src/upstream/quota/quota-file.ts'
import { QuotaFileWriter } from '../../src/upstream/quota/quota-file-writer.ts'
import { accountOf } from '../support/account.ts'
import { manualClock } from '../support/clock.ts'
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
  const recorder = new QuotaFileWriter({
    name: 'default',
    upstream,
    file: quotaFileIn(folder, 'default'),
    clock,
    bootId: 'this boot',
    log,
    everyMs: 1
  })
  noticed = () => recorder.noticed()
  const call = (times: number): void => {
    for (let i = 0; i < times; i++) budget.admit({ tenantId: 'acme', priority: 'stop' }).answered()
  }
  return { clock, budget, habits, recorder, troubles, call, file: quotaFileIn(folder, 'default') }
}

t.test('what was used is there for the next process, and readable by its owner alone', async t => {
  const { recorder, call, file, clock } = recorderOf(t.testdir())
  await recorder.start()
  const first = { upstream: 'default', quota: 100, used: { stop: 0 }, spent: [], reserved: 1 }
  t.match(await readQuotaFile(file), { ...first, bootId: 'this boot', monotonicMs: clock.monotonic() })
  call(1)
  clock.advance(1_000)
  await until(async () => (await readQuotaFile(file))?.used.stop === 1)
  // The clock stands still: what is not on record is written at once.
  call(5)
  await until(async () => (await readQuotaFile(file))?.used.stop === 6)
  call(1)
  await recorder.close()
  const record = await readQuotaFile(file)
  t.match(record, { used: { stop: 7 }, tenants: [{ tenantId: 'acme', reads: 0, mutations: 0, stops: 7 }], reserved: 0 })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.strictSame(readdirSync(join(file, '..')), ['upstream-default.json'], 'nothing half-written stays')
})

t.test('a record shows what has left the window, also when nothing is asked any more', async t => {
  const { recorder, call, file, clock } = recorderOf(t.testdir())
  await recorder.start()
  call(6)
  await until(async () => (await readQuotaFile(file))?.used.stop === 6)
  clock.advance(61_000)
  await until(async () => (await readQuotaFile(file))?.used.stop === 0)
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
  t.equal(await canWriteQuotaFile(file), false)
  t.equal(await canWriteQuotaFile(quotaFileIn(folder, 'default')), true)
  t.equal(troubles.length, 1)
})

t.test('a record that can no longer be written is taken away, and comes back when there is room again', async t => {
  const { recorder, call, clock, file, troubles } = recorderOf(t.testdir())
  await recorder.start()
  // Nothing can be renamed to a folder's name, nor written to it.
  mkdirSync(`${file}.new`)
  t.equal(await canWriteQuotaFile(file), false)
  call(1)
  await until(() => !existsSync(file))
  t.equal(recorder.untilReserved(), null, 'nobody waits for it')
  call(50)
  rmSync(`${file}.new`, { recursive: true })
  clock.advance(1_000)
  await until(async () => (await readQuotaFile(file))?.used.stop === 51)
  await recorder.close()
  t.equal(troubles.length, 1)
})

t.test('a record that cannot be read or is something else is told from none', async t => {
  const file = quotaFileIn(t.testdir(), 'default')
  t.equal(await inspectQuotaFile(file), null)
  t.equal(await readQuotaFile(file), null)
  for (const text of ['', '{', '[]', '{"upstream":"default"}', 'null']) {
    writeFileSync(file, text)
    t.equal(await inspectQuotaFile(file), 'unreadable', text)
    t.equal(await readQuotaFile(file), null, text)
  }
  t.equal(await inspectQuotaFile(dirname(file)), 'unreadable', 'a folder')
})

t.test(
  'a record that is a pipe or much too large is not waited for, nor is a pipe where the next one is made',
  async t => {
    const file = quotaFileIn(t.testdir(), 'default')
    const { recorder } = recorderOf(dirname(file))
    await recorder.start()
    await recorder.close()
    const text = readFileSync(file, 'utf8')
    t.match(await inspectQuotaFile(file), { upstream: 'default' })
    writeFileSync(file, text + ' '.repeat(1024 * 1024))
    t.equal(await inspectQuotaFile(file), 'unreadable')
    rmSync(file)
    spawnSync('mkfifo', [file, `${file}.new`])
    t.equal(await inspectQuotaFile(file), 'unreadable')
    t.ok(await canWriteQuotaFile(file))
  }
)

t.test("what was seen of the vendor's ways is written when it is seen, and lasts as long as it did", async t => {
  const { recorder, habits, file, clock } = recorderOf(t.testdir())
  await recorder.start()
  clock.advance(1_000)
  habits.noteSecondStartRefused()
  await until(async () => (await readQuotaFile(file))?.habits?.refusesSecondStart === true)
  clock.advance(1_000)
  for (let i = 0; i < 3; i++) habits.noteFailedWhenNothingWasLive()
  await until(async () => ((await readQuotaFile(file))?.habits?.failsForMs ?? 0) > 0)
  await recorder.close()
  const record = await readQuotaFile(file)
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
  const record = await readQuotaFile(file)
  t.match(record, { upstream: 'default', habits: undefined })
  t.equal(habitsBefore(record, 0), undefined)
  t.equal(habitsBefore(null, 0), undefined)
})
