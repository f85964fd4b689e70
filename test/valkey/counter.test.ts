import t, { type Test } from 'tap'
import { SharedCounter } from '../../src/valkey/counter.ts'
import { ValkeyLink } from '../../src/valkey/link.ts'
import fc from '../support/runner/properties.ts'
import { countingReplicas } from '../support/valkey/counting.ts'
import { noValkey, startValkey, type ValkeyServer, valkeyProgram } from '../support/valkey/server.ts'

const needsValkey = () => ({ skip: valkeyProgram === null && noValkey })

/** Counters of replicas on a server. */
async function countersAt(t: Test, { home }: ValkeyServer, count: number): Promise<SharedCounter[]> {
  const log = { info() {}, warn() {} }
  const monotonic = () => performance.now()
  return Promise.all(
    Array.from({ length: count }, async () => {
      const valkey = new ValkeyLink({ home, log, withinMs: 10_000 })
      t.teardown(() => valkey.close())
      await valkey.open()
      return new SharedCounter({ valkey, monotonic })
    })
  )
}

t.test(
  'as many of a thousand calls over three replicas pass as the limit says, and no more',
  needsValkey(),
  async t => {
    const server = await startValkey(t)
    const counters = await countersAt(t, server, 3)
    for (const max of [1, 7, 100, 999]) {
      // A day: nothing is refilled meanwhile.
      const bucket = { max, windowMs: 86_400_000 }
      const calls = Array.from({ length: 1_000 }, (_, i) => counters[i % 3]?.take(`read/${max}`, bucket))
      const passed = (await Promise.all(calls)).filter(counted => counted?.isAllowed)
      t.equal(passed.length, max)
      const left = await Promise.all(counters.map(counter => counter.look(`read/${max}`, bucket)))
      t.strictSame(
        left.map(({ remaining }) => remaining),
        [0, 0, 0]
      )
    }
  }
)

t.test(
  'a call that is one too many is told when the next one is let in, and a burst refills',
  needsValkey(),
  async t => {
    const server = await startValkey(t)
    const [one, other] = await countersAt(t, server, 2)
    const bucket = { max: 2, windowMs: 60_000 }
    t.match(await one?.take('read/acme', bucket), { isAllowed: true, remaining: 1 })
    t.match(await other?.take('read/acme', bucket), { isAllowed: true, remaining: 0 })
    const refused = await one?.take('read/acme', bucket)
    t.match(refused, { isAllowed: false, remaining: 0 })
    t.ok((refused?.ttlMs ?? 0) > 0 && (refused?.ttlMs ?? 0) <= 30_000)
    // So much time has passed.
    const key = '{livegate}:limit:read/acme'
    await server.client.set(key, String(Number(await server.client.get(key)) - (refused?.ttlMs ?? 0)))
    t.match(await other?.take('read/acme', bucket), { isAllowed: true })
  }
)

t.test('a state from the future, as after a step of its clock, is cut to one full window', needsValkey(), async t => {
  const server = await startValkey(t)
  const [counter] = await countersAt(t, server, 1)
  const bucket = { max: 10, windowMs: 100 }
  await counter?.take('read/acme', bucket)
  await server.client.set('{livegate}:limit:read/acme', '1e15')
  const { ttlMs = 0 } = (await counter?.take('read/acme', bucket)) ?? {}
  t.ok(ttlMs <= 10.001, `${ttlMs} ms until the next call`)
})

t.test(
  'without Valkey, calls that are spread evenly stay within the limit and one share, whenever it is lost',
  async t => {
    const property = fc.asyncProperty(
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 0, max: 150 }),
      async (replicas, max, lostAfter) => {
        const { valkey, call } = countingReplicas(replicas)
        let passed = 0
        for (let i = 0; i < 1_000; i++) {
          if (i === lostAfter) valkey.lose()
          if (await call(i, max)) passed += 1
        }
        return passed <= max + max / replicas
      }
    )
    await t.resolves(fc.assert(property, { numRuns: 100 }))
  }
)

t.test(
  'without Valkey the total stays below twice the limit, however the calls are spread, and it comes and goes',
  async t => {
    const step = fc.oneof(
      { weight: 40, arbitrary: fc.integer({ min: 0, max: 3 }) },
      { weight: 1, arbitrary: fc.constantFrom('lose', 'come back', 'come back empty') }
    )
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 60 }),
      fc.array(step, { minLength: 100, maxLength: 400 }),
      async (max, steps) => {
        const { valkey, call } = countingReplicas(4)
        let passed = 0
        for (const one of steps) {
          if (one === 'lose') valkey.lose()
          else if (typeof one === 'string') valkey.comeBack(one === 'come back empty')
          else if (await call(one, max)) passed += 1
        }
        return passed < 2 * max
      }
    )
    await t.resolves(fc.assert(property, { numRuns: 100 }))
  }
)

t.test('without Valkey a replica goes on with its share of what was left, and of the refill', async t => {
  const { valkey, counters, call, clock } = countingReplicas(2)
  for (let i = 0; i < 40; i++) await call(0, 100)
  valkey.lose()
  const burst = async (replica: number): Promise<number> => {
    let passed = 0
    while (await call(replica, 100)) passed += 1
    return passed
  }
  t.equal(counters[0]?.recall('read/acme', { max: 100, windowMs: 60_000 }).remaining, 30)
  t.equal(await burst(0), 30, 'half of the 60 that were left')
  t.equal(await burst(1), 50, 'half of the limit, where it has never heard')
  clock.advance(6_000)
  t.equal(await burst(0), 5, 'half of a tenth of the limit')
})

t.test('a Valkey that comes back empty hears from the replicas what was spent', async t => {
  const { valkey, call } = countingReplicas(2)
  for (let i = 0; i < 100; i++) await call(i, 100)
  valkey.lose()
  valkey.comeBack(true)
  t.notOk(await call(1, 100), 'the one that heard last tells')
  t.notOk(await call(0, 100))
})
