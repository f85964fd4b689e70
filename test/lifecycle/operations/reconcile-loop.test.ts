import { mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { ReconcileLoop } from '../../../src/lifecycle/operations/reconcile-loop.ts'
import { sentOperation, type TestContext } from '../../support/broadcast/reconciling.ts'
import { manualClock } from '../../support/clock.ts'

const settleMs = 30_000

/** Open operations whose time, and whose vendor, the test holds. */
function world(t: TestContext) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const clock = manualClock()
  const tries: { id: string; atMs: number }[] = []
  const said: string[] = []
  const answers = {
    reconcile: async (_id: string): Promise<boolean> => false,
    mustWait: (_id: string): boolean => false
  }
  const say =
    (level: string) =>
    ({ operation }: { operation?: string }, message: string): void => {
      said.push(`${level}: ${operation} ${message}`)
    }
  const open = new ReconcileLoop({
    reconcile({ id }) {
      tries.push({ id, atMs: clock.monotonic() })
      return answers.reconcile(id)
    },
    mustWait: ({ id }) => answers.mustWait(id),
    log: { info: say('info'), warn: say('warn') },
    clock,
    settleMs
  })
  return {
    open,
    tries,
    said,
    answers,
    add: (id: string, kind: 'start' | 'stop' | 'create_meeting' = 'start', tenantId = id) =>
      open.add(sentOperation(kind, clock, { id, tenantId, meetingId: id })),
    /** In small steps, so that what a try brings about has its turn. */
    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 100) {
        clock.advance(100)
        mock.timers.tick(100)
        await turn()
      }
    }
  }
}

t.test(
  'an open operation is tried again after growing pauses: soon while it should be settled in time, rarely then',
  async t => {
    const { add, pass, tries } = world(t)
    add('a')
    await pass(150_000)
    const pauses = tries.map(({ atMs }, i) => atMs - (tries[i - 1]?.atMs ?? 0))
    t.strictSame(pauses, [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000, 30_000, 30_000, 30_000])
  }
)

t.test('a settled operation is tried no more, and the log says so', async t => {
  const { add, pass, tries, said, answers, open } = world(t)
  add('a', 'stop')
  await pass(600)
  answers.reconcile = async () => true
  await pass(60_000)
  t.equal(tries.length, 2)
  t.equal(open.size, 0)
  t.strictSame(said, ['info: a an operation was settled'])
})

t.test('a try that fails is a try like another: the log has it, and it goes on', async t => {
  const { add, pass, tries, said, answers, open } = world(t)
  answers.reconcile = async () => {
    throw new Error('the vendor is away')
  }
  add('a')
  await pass(1_600)
  answers.reconcile = async () => true
  await pass(2_000)
  t.equal(tries.length, 3)
  t.equal(open.size, 0)
  const failed = 'info: a an operation could not be settled yet'
  t.strictSame(said, [failed, failed, 'info: a an operation was settled'])
})

t.test('the operator is told once of each that takes longer than it should, and not before', async t => {
  const { add, pass, said } = world(t)
  add('a')
  await pass(10_000)
  add('b')
  const warned = (): string[] => said.filter(line => line.startsWith('warn: ')).map(line => line.slice(6, 7))
  await pass(settleMs - 10_000)
  t.strictSame(warned(), [])
  await pass(5_000)
  t.strictSame(warned(), ['a'])
  await pass(300_000)
  t.strictSame(warned(), ['a', 'b'])
  t.match(
    said.find(line => line.startsWith('warn')),
    /operation list --open.*operation resolve/
  )
})

t.test('eight at once ask the vendor, and the others have their turn as soon as one is answered', async t => {
  const { add, pass, tries, answers, open } = world(t)
  const under: PromiseWithResolvers<boolean>[] = []
  answers.reconcile = () => {
    const answer = Promise.withResolvers<boolean>()
    under.push(answer)
    return answer.promise
  }
  const ids = Array.from({ length: 20 }, (_, i) => `operation-${i}`)
  for (const id of ids) add(id)
  await pass(60_000)
  t.equal(tries.length, 8)
  under[3]?.resolve(true)
  await turn()
  t.equal(tries.length, 9)
  under[0]?.reject(new Error('away'))
  await turn()
  t.equal(tries.length, 10, 'one that has failed makes room as well')
  // The one that has failed is tried again by and by.
  for (let i = 0; i < under.length && i < 30; i++) {
    under[i]?.resolve(true)
    await pass(10_000)
  }
  t.strictSame([...new Set(tries.map(({ id }) => id))], ids, 'in their order, none forgotten')
  t.equal(tries.length, 21)
  t.equal(open.size, 0)
})

t.test('closing ends it: what is under way is waited for, nothing is tried any more', async t => {
  const { add, pass, tries, answers, open } = world(t)
  const answer = Promise.withResolvers<boolean>()
  add('a')
  await pass(400)
  answers.reconcile = () => answer.promise
  for (let i = 0; i < 10; i++) add(`later-${i}`)
  await pass(500)
  t.equal(tries.length, 8, 'three wait for their turn')
  let closed = false
  const closing = open.close().then(() => {
    closed = true
  })
  await pass(1_000)
  t.notOk(closed)
  answer.resolve(false)
  await closing
  add('after')
  await pass(120_000)
  t.equal(tries.length, 8)
})

t.test('an operation is taken over once, and not at all when nobody can find out what became of it', async t => {
  const { add, pass, tries, open } = world(t)
  add('a')
  add('a', 'stop')
  add('b', 'create_meeting')
  t.equal(open.size, 1)
  await pass(600)
  t.strictSame(
    tries.map(({ id }) => id),
    ['a']
  )
})

t.test('one tenant has half of the places: what is slow for it does not hold back what others wait for', async t => {
  const { add, pass, tries, answers } = world(t)
  const slow = Promise.withResolvers<boolean>()
  answers.reconcile = async id => (id === 'another' ? true : slow.promise)
  for (let i = 0; i < 20; i++) add(`slow-${i}`, 'stop', 'acme')
  await pass(500)
  t.equal(tries.length, 4)
  add('another', 'stop', 'globex')
  await pass(500)
  t.equal(tries.at(-1)?.id, 'another')
  slow.resolve(true)
})

t.test('one that only waits for its turn in its meeting takes no place, and is waited for when it ends', async t => {
  const { add, pass, tries, answers, open } = world(t)
  const turnCame = Promise.withResolvers<boolean>()
  answers.mustWait = id => id.startsWith('waits')
  answers.reconcile = id => (id.startsWith('waits') ? turnCame.promise : new Promise(() => {}))
  for (let i = 0; i < 20; i++) add(`waits-${i}`, 'stop', `tenant-${i % 4}`)
  await pass(500)
  t.equal(tries.length, 20)
  for (let i = 0; i < 20; i++) add(`other-${i}`, 'stop', `tenant-${i % 4}`)
  await pass(500)
  t.equal(tries.length, 28)
  turnCame.resolve(true)
  await turn()
  t.equal(open.size, 20)
})

t.test('closing waits also for those that wait for their turn', async t => {
  const { add, pass, answers, open } = world(t)
  const turnCame = Promise.withResolvers<boolean>()
  answers.mustWait = () => true
  answers.reconcile = () => turnCame.promise
  add('waits', 'stop')
  await pass(500)
  let closed = false
  const closing = open.close().then(() => {
    closed = true
  })
  await turn()
  t.notOk(closed)
  turnCame.resolve(true)
  await closing
})

t.test('the tenant with the fewest under way goes next', async t => {
  const { add, pass, tries, answers } = world(t)
  const under: PromiseWithResolvers<boolean>[] = []
  answers.reconcile = () => {
    const answer = Promise.withResolvers<boolean>()
    under.push(answer)
    return answer.promise
  }
  for (const tenant of ['acme', 'globex']) for (let i = 0; i < 20; i++) add(`${tenant}-${i}`, 'stop', tenant)
  await pass(500)
  t.equal(tries.length, 8, 'four of each')
  add('initech-0', 'stop', 'initech')
  add('initech-1', 'stop', 'initech')
  await pass(500)
  for (const answer of under.slice(0, 4)) {
    answer.resolve(true)
    await turn()
  }
  t.strictSame(
    tries.slice(8).map(({ id }) => id),
    // The place of one of acme's goes to who has none, and so on; among equals the first one in the queue.
    ['initech-0', 'initech-1', 'acme-4', 'acme-5']
  )
  for (const answer of under) answer.resolve(true)
})
