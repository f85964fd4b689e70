import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Habits } from '../../../src/upstream/account/observed.ts'
import { UpstreamBudget } from '../../../src/upstream/quota/budget.ts'
import {
  canWriteQuotaFile,
  habitsBefore,
  inspectQuotaFile,
  quotaFileIn,
  readQuotaFile
} from '../../../src/upstream/quota/quota-file.ts'
import { QuotaFileWriter } from '../../../src/upstream/quota/quota-file-writer.ts'
import { accountOf } from '../../support/account.ts'
import { manualClock } from '../../support/clock.ts'
import { until } from '../../support/until.ts'

const quota = { calls: 100, seconds: 60 }
const account = accountOf({ url: 'https://api.dyte.io/v2', org: 'o', key: 'k' })

function writerOf(folder: string) {
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
  const writer = new QuotaFileWriter({
    name: 'default',
    upstream,
    file: quotaFileIn(folder, 'default'),
    clock,
    bootId: 'this boot',
    log,
    everyMs: 1
  })
  noticed = () => writer.noticed()
  const call = (times: number): void => {
    for (let i = 0; i < times; i++) budget.admit({ tenantId: 'acme', priority: 'stop' }).answered()
  }
  return { clock, budget, habits, writer, troubles, call, file: quotaFileIn(folder, 'default') }
}

t.test('used calls are there for the next process, and readable by their owner alone', async t => {
  const { writer, call, file, clock } = writerOf(t.testdir())
  await writer.start()
  const first = { upstream: 'default', quota: 100, used: { stop: 0 }, spent: [], reserved: 1 }
  t.match(await readQuotaFile(file), { ...first, bootId: 'this boot', monotonicMs: clock.monotonic() })
  call(1)
  clock.advance(1_000)
  await until(async () => (await readQuotaFile(file))?.used.stop === 1)
  // The clock stands still: what is not on record is written at once.
  call(5)
  await until(async () => (await readQuotaFile(file))?.used.stop === 6)
  call(1)
  await writer.close()
  const kept = await readQuotaFile(file)
  t.match(kept, { used: { stop: 7 }, tenants: [{ tenantId: 'acme', reads: 0, mutations: 0, stops: 7 }], reserved: 0 })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.strictSame(readdirSync(join(file, '..')), ['upstream-default.json'], 'nothing half-written stays')
})

t.test('the quota file shows what has left the window, also when nothing is asked any more', async t => {
  const { writer, call, file, clock } = writerOf(t.testdir())
  await writer.start()
  call(6)
  await until(async () => (await readQuotaFile(file))?.used.stop === 6)
  clock.advance(61_000)
  await until(async () => (await readQuotaFile(file))?.used.stop === 0)
  await writer.close()
})

t.test('a folder that cannot be written is said once, and nobody is held up by it', async t => {
  const folder = t.testdir()
  const { writer, call, troubles, file } = writerOf(join(folder, 'missing'))
  await writer.start()
  call(50)
  await writer.write()
  await writer.close()
  t.equal(existsSync(file), false)
  t.equal(await canWriteQuotaFile(file), false)
  t.equal(await canWriteQuotaFile(quotaFileIn(folder, 'default')), true)
  t.equal(troubles.length, 1)
})

t.test('a quota file that can no longer be written is taken away, and comes back when there is room again', async t => {
  const { writer, call, clock, file, troubles } = writerOf(t.testdir())
  await writer.start()
  // Nothing can be renamed to a folder's name, nor written to it.
  mkdirSync(`${file}.new`)
  t.equal(await canWriteQuotaFile(file), false)
  call(1)
  await until(() => !existsSync(file))
  t.equal(writer.untilReserved(), null, 'nobody waits for it')
  call(50)
  rmSync(`${file}.new`, { recursive: true })
  clock.advance(1_000)
  await until(async () => (await readQuotaFile(file))?.used.stop === 51)
  await writer.close()
  t.equal(troubles.length, 1)
})

t.test('a quota file that cannot be read or is something else is told from none', async t => {
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
  'a quota file that is a pipe or much too large is not waited for, nor is a pipe where the next one is made',
  async t => {
    const file = quotaFileIn(t.testdir(), 'default')
    const { writer } = writerOf(dirname(file))
    await writer.start()
    await writer.close()
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

t.test("the vendor's habits are written when they are seen, and last as long as they did", async t => {
  const { writer, habits, file, clock } = writerOf(t.testdir())
  await writer.start()
  clock.advance(1_000)
  habits.noteSecondStartRefused()
  await until(async () => (await readQuotaFile(file))?.habits?.refusesSecondStart === true)
  clock.advance(1_000)
  for (let i = 0; i < 3; i++) habits.noteFailedWhenNothingWasLive()
  await until(async () => ((await readQuotaFile(file))?.habits?.failsForMs ?? 0) > 0)
  await writer.close()
  const kept = await readQuotaFile(file)
  const after = (ms: number) => new Habits({ account, clock, before: habitsBefore(kept, clock.now() + ms) })
  t.match(after(3_599_000), { refusesSecondStart: true, failsWhenNothingIsLive: true })
  t.match(after(3_600_000), { refusesSecondStart: true, failsWhenNothingIsLive: false })
  t.equal(habitsBefore(kept, clock.now() - 86_400_000)?.failsForMs, 3_600_000, 'also when the clock was set back')
})

t.test('a quota file of a version that knew no habits is read', async t => {
  const { writer, file } = writerOf(t.testdir())
  await writer.start()
  await writer.close()
  const { habits: _habits, ...old } = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify(old))
  const kept = await readQuotaFile(file)
  t.match(kept, { upstream: 'default', habits: undefined })
  t.equal(habitsBefore(kept, 0), undefined)
  t.equal(habitsBefore(null, 0), undefined)
})
