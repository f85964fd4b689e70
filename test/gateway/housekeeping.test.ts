import t from 'tap'
import type { OperationState } from '../../src/domain/operation.ts'
import { keepTidy, type TidyDeps, tidy, watchDisk } from '../../src/gateway/housekeeping.ts'
import { operationsIn } from '../../src/store/tables/operations.ts'
import { auditedWorld, dayMs } from '../support/audit/store-helper.ts'
import { manualClock, steps } from '../support/clock.ts'
import { operationOf, storeWithTenants } from '../support/store/helper.ts'
import { until } from '../support/until.ts'

/** A log that remembers its lines, as `level message`. */
function logInto() {
  const lines: string[] = []
  const facts: object[] = []
  const line = (level: string) => (said: object, message: string) => {
    facts.push(said)
    lines.push(`${level} ${message}`)
  }
  return { lines, facts, log: { info: line('info'), warn: line('warn'), error: line('error') } }
}

/** Housekeeping with nothing to do; each test gives it what it is about. */
function deps(more: Partial<TidyDeps> = {}): TidyDeps {
  return {
    audited: { prune: async () => ({ removed: 0, cutAt: null }) },
    operations: { removeSettled: async () => 0 },
    runEvents: { removeOld: async () => 0 },
    stopOrders: { removeEnded: async () => 0 },
    webhooks: { removeOld: async () => 0 },
    auditRetentionDays: null,
    log: logInto().log,
    clock: manualClock(),
    ...more
  }
}

t.test('operations that were settled more than 7 days ago go, and nothing else', async t => {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const clock = manualClock()
  const states: [id: string, state: OperationState, settledDaysAgo: number | null][] = [
    ['old-done', 'done', 8],
    ['old-failed', 'failed', 7.001],
    ['new-done', 'done', 7],
    ['new-failed', 'failed', 0],
    ['old-unknown', 'unknown', null],
    ['old-sent', 'sent', null]
  ]
  const sent = states.map(([id, state, days], i) => {
    const settledAtMs = days === null ? null : clock.now() - days * dayMs
    return operationOf('acme', { id, state, settledAtMs, sentAtMs: clock.now() - 30 * dayMs, meetingId: `m${i}` })
  })
  await store.engine.write(sent.map(operations.sent))
  await tidy(deps({ operations, clock }))
  const left = await store.engine.read(store.sql.selectFrom('operations').select('id').orderBy('id').compile())
  t.strictSame(
    left.map(({ id }) => id),
    ['new-done', 'new-failed', 'old-sent', 'old-unknown']
  )
})

t.test('webhooks that came more than 7 days ago go, in steps', async t => {
  const clock = manualClock()
  const asked: [number, number][] = []
  const counts = [500, 500, 3]
  const removeOld = async (beforeMs: number, limit: number): Promise<number> => {
    asked.push([beforeMs, limit])
    return counts.shift() ?? 0
  }
  await tidy(deps({ webhooks: { removeOld }, clock }))
  t.strictSame(asked, Array(3).fill([clock.now() - 7 * dayMs, 500]))
})

t.test('many operations go in steps, so that nobody waits for all of them', async t => {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const old = Array.from({ length: 1_200 }, () => operationOf('acme', { state: 'done', settledAtMs: 1_000 }))
  await store.engine.write(old.map(operations.sent))
  const steps: number[] = []
  const removeSettled = async (beforeMs: number, atMost: number) => {
    const step = await operations.removeSettled(beforeMs, atMost)
    steps.push(step)
    return step
  }
  await tidy(deps({ operations: { removeSettled } }))
  t.strictSame(steps, [500, 500, 200])
})

t.test('the events of runs go after 7 days, in steps', async t => {
  const clock = manualClock()
  const asked: number[][] = []
  const removeOld = async (beforeMs: number, atMost: number) => {
    asked.push([clock.now() - beforeMs, atMost])
    return asked.length < 3 ? 500 : 0
  }
  await tidy(deps({ runEvents: { removeOld }, clock }))
  t.strictSame(asked, Array(3).fill([7 * dayMs, 500]))
})

t.test('without a retention time the audit log is kept for ever', async t => {
  const prune = () => t.fail('nothing is to be pruned') as never
  await tidy(deps({ audited: { prune } }))
  t.pass('nothing was asked of the audit log')
})

t.test('audit events go when their days are over, and that is on record and logged', async t => {
  const { open, clock, events, proof } = await auditedWorld(t)
  const { audited, append } = await open()
  await append(10, clock.now() - 31 * dayMs)
  await audited.checkpointer.sign()
  await append(5, clock.now() - 29 * dayMs)
  const { log, lines, facts } = logInto()
  const retention = deps({ audited, auditRetentionDays: 30, log, clock })
  await tidy(retention)
  t.strictSame(lines, ['info audit events were removed: their time is over'])
  t.strictSame(facts, [{ event: 'audit_events_pruned', removed: 10, cutAt: 10 }])
  const left = await events()
  t.strictSame(
    left.map(({ seq }) => seq),
    [11, 12, 13, 14, 15, 16]
  )
  t.match(JSON.parse(left.at(-1)?.event ?? ''), {
    actor: { user: { uid: 'retention', type: 'Gateway' } },
    api: { operation: 'pruneAudit' },
    src_endpoint: { name: 'gateway' }
  })
  t.match(await proof(audited.keys.signer.publicKey), { firstSeq: 11, lastSeq: 16 })
  await tidy(retention)
  t.equal(lines.length, 1, 'and nothing is said when there is nothing to do')
})

t.test('it tidies again and again until it is ended, also after it could not', async t => {
  const { log, lines } = logInto()
  let runs = 0
  let held = Promise.withResolvers<void>()
  const removeSettled = async () => {
    runs += 1
    if (runs === 1) throw new Error('disk full')
    await held.promise
    return 0
  }
  held.resolve()
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const timersBefore = timers()
  const times = { firstAfterMs: 1, everyMs: 5 }
  const end = keepTidy(deps({ operations: { removeSettled }, log }), times)
  await until(() => runs >= 3)
  t.strictSame(lines, ['error what is old could not be removed: tried again in an hour'])

  held = Promise.withResolvers()
  const before = runs
  await until(() => runs > before)
  let ended = false
  const ending = end().then(() => {
    ended = true
  })
  await new Promise(resolve => setImmediate(resolve))
  t.notOk(ended, 'what is under way is finished first')
  held.resolve()
  await ending
  t.equal(timers(), timersBefore, 'and no other comes')
})

t.test('a clock that is set makes nothing old enough before its time', async t => {
  for (const stepMs of steps) {
    const clock = manualClock()
    const startedAtMs = clock.now()
    const before: number[] = []
    const removeSettled = async (beforeMs: number) => {
      before.push(beforeMs)
      return 0
    }
    const prune = async (beforeMs: number) => {
      before.push(beforeMs)
      return { removed: 0, cutAt: null }
    }
    const given = deps({ operations: { removeSettled }, audited: { prune }, auditRetentionDays: 7, clock })
    const end = keepTidy(given, { firstAfterMs: 1, everyMs: 60_000 })
    clock.advance(3_600_000)
    clock.step(stepMs)
    await until(() => before.length === 2)
    await end()
    const expected = startedAtMs + 3_600_000 + Math.min(0, stepMs) - 7 * dayMs
    t.strictSame(before, [expected, expected], `${stepMs} ms`)
  }
})

t.test('little disk space is warned of, and told to who asks', async t => {
  const { log, lines, facts } = logInto()
  const folder = t.testdir()
  const disk = watchDisk(folder, Number.MAX_SAFE_INTEGER, log)
  t.teardown(() => disk.close())
  await until(() => disk.low())
  t.strictSame(lines, ['warn little disk space is left: without any, starts are refused'])
  t.match(facts, [{ folder, freeMb: Number, floorMb: Number.MAX_SAFE_INTEGER }])
})

t.test(
  'one warning of little space is enough; room that is there again is seen, and a disk that cannot be read',
  async t => {
    const disk = { freeMb: 100, looks: 0 }
    const read = async () => {
      disk.looks += 1
      if (disk.freeMb < 0) throw new Error('gone')
      return { bavail: disk.freeMb, bsize: 2 ** 20 }
    }
    const housekeeping = await t.mockImport<typeof import('../../src/gateway/housekeeping.ts')>(
      '../../src/gateway/housekeeping.ts',
      {
        'node:fs/promises': { statfs: read }
      }
    )
    const { log, lines } = logInto()
    const watch = housekeeping.watchDisk('data', 100, log, 1)
    t.teardown(() => watch.close())
    const looks = async (freeMb: number) => {
      disk.freeMb = freeMb
      const before = disk.looks
      await until(() => disk.looks >= before + 3)
    }
    await looks(100)
    t.notOk(watch.low(), 'as much as the floor is enough')
    await looks(99)
    t.ok(watch.low())
    await looks(101)
    t.notOk(watch.low())
    await looks(99)
    t.ok(watch.low())
    t.strictSame(lines, ['warn little disk space is left: without any, starts are refused'])
    await looks(-1)
    t.equal(lines.at(-1), 'error the free disk space cannot be read')
    t.ok(watch.low(), 'what was known last holds')
  }
)
