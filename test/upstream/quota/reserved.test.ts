import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Habits } from '../../../src/upstream/account/observed.ts'
import type { Priority } from '../../../src/upstream/provider.ts'
import { UpstreamBudget } from '../../../src/upstream/quota/budget.ts'
import { quotaFileIn } from '../../../src/upstream/quota/quota-file.ts'
import { QuotaFileWriter } from '../../../src/upstream/quota/quota-file-writer.ts'
import { accountOf } from '../../support/account.ts'
import { manualClock } from '../../support/clock.ts'
import { until } from '../../support/until.ts'

const account = accountOf({ url: 'https://api.dyte.io/v2', org: 'o', key: 'k' })

/** A writer of the quota file that writes nothing but what it has to before a call. */
function reserving(t: Test, calls = 2_000) {
  const clock = manualClock()
  const file = quotaFileIn(t.testdir(), 'default')
  const quota = { calls, seconds: 60 }
  const budget: UpstreamBudget = new UpstreamBudget({
    quota,
    deadlineMs: 1_000,
    clock,
    onSent: () => writer.noticed()
  })
  const habits = new Habits({ account, clock })
  const upstream = {
    status: () => ({ budget: budget.status(), breaker: 'closed' as const, habits: habits.kept() }),
    tenants: () => budget.tenants(),
    spent: () => budget.spent()
  }
  const troubles: string[] = []
  const log = { error: (_facts: object, message: string) => troubles.push(message) }
  const writer = new QuotaFileWriter({ name: 'default', upstream, file, clock, bootId: null, log, everyMs: 1e6 })
  const send = (priority: Priority): void => budget.admit({ tenantId: 'acme', priority }).answered()
  /** Counts a call as `outbound.ts` does. */
  const sendInTurn = async (): Promise<void> => {
    for (let wait = writer.untilReserved(); wait !== null; wait = writer.untilReserved()) await wait
    send('mutation')
  }
  /** Calls that the successor counts of a process that is killed now. */
  const onRecord = (): { known: number; reserved: number } => {
    const { spent, reserved } = JSON.parse(readFileSync(file, 'utf8'))
    return { known: spent.reduce((sum: number, { calls: n }: { calls: number }) => sum + n, 0), reserved }
  }
  return { writer, budget, file, send, sendInTurn, onRecord, troubles }
}

t.test('no read and no start is sent that is not in the quota file before, however many come at once', async t => {
  const { writer, budget, sendInTurn, onRecord } = reserving(t)
  await writer.start()
  let most = 0
  const sends = Array.from({ length: 300 }, async () => {
    await sendInTurn()
    const { known, reserved } = onRecord()
    if (known + reserved < budget.status().sent)
      t.fail(`${budget.status().sent} sent, on record ${known} + ${reserved}`)
    most = Math.max(most, reserved)
  })
  await Promise.all(sends)
  t.equal(budget.status().sent, 300)
  t.equal(most, 20, 'a block is small')
  await writer.close()
  t.strictSame(onRecord(), { known: 300, reserved: 0 }, 'and a graceful stop leaves an exact figure')
})

t.test('a block is a hundredth of a small quota, and one call at least', async t => {
  for (const [calls, block] of [
    [1_200, 12],
    [12, 1]
  ] as const) {
    const { writer, send, onRecord } = reserving(t, calls)
    await writer.start()
    for (let i = 0; i < 100; i++) send('stop')
    await writer.write()
    t.equal(onRecord().reserved, block, `of ${calls}`)
    await writer.close()
  }
})

t.test('a process that has sent little leaves little unknown', async t => {
  const { writer, sendInTurn, onRecord } = reserving(t)
  await writer.start()
  t.strictSame(onRecord(), { known: 0, reserved: 1 })
  for (let i = 0; i < 4; i++) await sendInTurn()
  await writer.write()
  t.strictSame(onRecord(), { known: 4, reserved: 5 })
  await writer.close()
})

t.test('the next block is written while half of one is left, and a stop does not wait for it', async t => {
  const { writer, send, onRecord } = reserving(t)
  await writer.start()
  for (let i = 0; i < 30; i++) send('stop')
  t.type(writer.untilReserved(), Promise, 'others wait meanwhile')
  await until(() => onRecord().known === 30)
  await writer.untilReserved()
  t.equal(writer.untilReserved(), null)
  for (let i = 0; i < 9; i++) send('read')
  t.equal(writer.untilReserved(), null, 'eleven are left')
  t.equal(onRecord().known, 30)
  send('read')
  t.equal(writer.untilReserved(), null, 'and nobody waits while more is written')
  await until(() => onRecord().known === 40)
  await writer.close()
})

t.test('nothing is sent but stops before the first file, and nobody is held up after the last', async t => {
  const { writer, send, budget } = reserving(t)
  const wait = writer.untilReserved()
  send('stop')
  await writer.start()
  await wait
  t.equal(writer.untilReserved(), null)
  await writer.close()
  for (let i = 0; i < 50; i++) send('stop')
  t.equal(writer.untilReserved(), null)
  t.equal(budget.status().sent, 51)
})

t.test('a disk that hangs holds nobody up for longer than a second, nor a graceful stop', async t => {
  const { writer, send, troubles } = reserving(t)
  await writer.start()
  const hang = Promise.withResolvers<void>()
  t.teardown(() => hang.resolve())
  writer.write = () => hang.promise
  send('stop')
  await writer.untilReserved()
  t.equal(writer.untilReserved(), null)
  t.match(troubles, [/cannot be written down/])
  await writer.close()
  t.equal(troubles.length, 1, 'it is said once')
})
