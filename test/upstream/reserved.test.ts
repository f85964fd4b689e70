import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Habits } from '../../src/upstream/account/habits.ts'
import type { Priority } from '../../src/upstream/provider.ts'
import { UpstreamBudget } from '../../src/upstream/quota/budget.ts'
import { quotaFileIn } from '../../src/upstream/quota/quota-file.ts'
import { QuotaFileWriter } from '../../src/upstream/quota/quota-file-writer.ts'
import { accountOf } from '../support/account.ts'
import { manualClock } from '../support/clock.ts'
import { until } from '../support/until.ts'

const account = accountOf({ url: 'https://api.dyte.io/v2', org: 'o', key: 'k' })

/** A recorder that writes nothing but what it has to before a call. */
function recorded(t: Test, calls = 2_000) {
  const clock = manualClock()
  const file = quotaFileIn(t.testdir(), 'default')
  const quota = { calls, seconds: 60 }
  const budget: UpstreamBudget = new UpstreamBudget({
    quota,
    deadlineMs: 1_000,
    clock,
    onSent: () => recorder.noticed()
  })
  const habits = new Habits({ account, clock })
  const upstream = {
    status: () => ({ budget: budget.status(), breaker: 'closed' as const, habits: habits.kept() }),
    tenants: () => budget.tenants(),
    spent: () => budget.spent()
  }
  const troubles: string[] = []
  const log = { error: (_facts: object, message: string) => troubles.push(message) }
  const recorder = new QuotaFileWriter({ name: 'default', upstream, file, clock, bootId: null, log, everyMs: 1e6 })
  const send = (priority: Priority): void => budget.admit({ tenantId: 'acme', priority }).answered()
  /** Counts a call as `outbound.ts` does. */
  const sendInTurn = async (): Promise<void> => {
    for (let wait = recorder.untilReserved(); wait !== null; wait = recorder.untilReserved()) await wait
    send('mutation')
  }
  /** Calls that the successor counts of a process that is killed now. */
  const onRecord = (): { known: number; reserved: number } => {
    const { spent, reserved } = JSON.parse(readFileSync(file, 'utf8'))
    return { known: spent.reduce((sum: number, { calls: n }: { calls: number }) => sum + n, 0), reserved }
  }
  return { recorder, budget, file, send, sendInTurn, onRecord, troubles }
}

t.test('no read and no start is sent that is not on record before, however many come at once', async t => {
  const { recorder, budget, sendInTurn, onRecord } = recorded(t)
  await recorder.start()
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
  await recorder.close()
  t.strictSame(onRecord(), { known: 300, reserved: 0 }, 'and a graceful stop leaves an exact figure')
})

t.test('a block is a hundredth of a small quota, and one call at least', async t => {
  for (const [calls, block] of [
    [1_200, 12],
    [12, 1]
  ] as const) {
    const { recorder, send, onRecord } = recorded(t, calls)
    await recorder.start()
    for (let i = 0; i < 100; i++) send('stop')
    await recorder.write()
    t.equal(onRecord().reserved, block, `of ${calls}`)
    await recorder.close()
  }
})

t.test('a process that has sent little leaves little unknown', async t => {
  const { recorder, sendInTurn, onRecord } = recorded(t)
  await recorder.start()
  t.strictSame(onRecord(), { known: 0, reserved: 1 })
  for (let i = 0; i < 4; i++) await sendInTurn()
  await recorder.write()
  t.strictSame(onRecord(), { known: 4, reserved: 5 })
  await recorder.close()
})

t.test('the next block is written while half of one is left, and a stop does not wait for it', async t => {
  const { recorder, send, onRecord } = recorded(t)
  await recorder.start()
  for (let i = 0; i < 30; i++) send('stop')
  t.type(recorder.untilReserved(), Promise, 'others wait meanwhile')
  await until(() => onRecord().known === 30)
  await recorder.untilReserved()
  t.equal(recorder.untilReserved(), null)
  for (let i = 0; i < 9; i++) send('read')
  t.equal(recorder.untilReserved(), null, 'eleven are left')
  t.equal(onRecord().known, 30)
  send('read')
  t.equal(recorder.untilReserved(), null, 'and nobody waits while more is written')
  await until(() => onRecord().known === 40)
  await recorder.close()
})

t.test('before its first record nothing is sent but stops, and after its last nobody is held up', async t => {
  const { recorder, send, budget } = recorded(t)
  const wait = recorder.untilReserved()
  send('stop')
  await recorder.start()
  await wait
  t.equal(recorder.untilReserved(), null)
  await recorder.close()
  for (let i = 0; i < 50; i++) send('stop')
  t.equal(recorder.untilReserved(), null)
  t.equal(budget.status().sent, 51)
})

t.test('a disk that hangs holds nobody up for longer than a second, nor a graceful stop', async t => {
  const { recorder, send, troubles } = recorded(t)
  await recorder.start()
  const hang = Promise.withResolvers<void>()
  t.teardown(() => hang.resolve())
  recorder.write = () => hang.promise
  send('stop')
  await recorder.untilReserved()
  t.equal(recorder.untilReserved(), null)
  t.match(troubles, [/cannot be written down/])
  await recorder.close()
  t.equal(troubles.length, 1, 'it is said once')
})
