import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { FastifyRateLimitStore } from '@fastify/rate-limit'
import t from 'tap'
import type { GcraOptions } from '../../../src/domain/values/gcra.ts'
import { parseRateLimit, refillSeconds } from '../../../src/domain/values/rate-limit.ts'
import { gcraStore } from '../../../src/http/limits/gcra.ts'
import { manualClock } from '../../support/clock.ts'
import fc, { runs } from '../../support/runner/properties.ts'

interface Decision {
  allowed: boolean
  /** Calls of the bucket that are spent. */
  current: number
  ttl: number
}

function limiter(options: Partial<GcraOptions> = {}) {
  const clock = manualClock()
  const Store = gcraStore({ monotonic: clock.monotonic, maxKeys: 1_000, ...options })
  const store = new Store({}) as FastifyRateLimitStore & { read: FastifyRateLimitStore['incr'] }
  const ask = (key: string, max: number, windowMs = 60_000): Decision => {
    let decision: Decision | undefined
    store.incr(
      key,
      (error, result) => {
        if (error || !result) throw error
        decision = { ...result, allowed: result.current <= max }
      },
      windowMs,
      max
    )
    if (decision === undefined) throw new Error('the store must answer at once')
    return decision
  }
  return { clock, store, ask }
}

t.test('as many of a thousand calls at once pass as the limit says, and no more', async t => {
  for (const max of [1, 3, 7, 100, 600, 999]) {
    const { ask } = limiter()
    const allowed = Array.from({ length: 1_000 }, () => ask('acme', max)).filter(decision => decision.allowed)
    t.equal(allowed.length, max)
    t.strictSame(
      allowed.map(({ current }) => current),
      Array.from({ length: max }, (_, i) => i + 1),
      'and each sees how many are spent'
    )
  }
})

t.test('a caller that waits as long as told is let in, and not a moment before', async t => {
  const property = fc.property(
    fc.integer({ min: 1, max: 1_000 }),
    fc.integer({ min: 1, max: 3_600 }),
    (max, seconds) => {
      const { ask, clock } = limiter()
      const call = () => ask('acme', max, seconds * 1_000)
      for (let i = 0; i < max; i++) if (!call().allowed) return false
      const { allowed, ttl } = call()
      if (allowed || ttl <= 0) return false
      clock.advance(ttl * 0.99)
      if (call().allowed) return false
      clock.advance(ttl * 0.01 + 1e-6)
      return call().allowed && !call().allowed
    }
  )
  t.doesNotThrow(() => fc.assert(property))
})

t.test('a refused call costs nothing: who keeps asking is not kept out for it', async t => {
  const { ask, clock } = limiter()
  for (let i = 0; i < 100; i++) ask('acme', 10, 1_000)
  clock.advance(1_000)
  t.equal(Array.from({ length: 20 }, () => ask('acme', 10, 1_000)).filter(({ allowed }) => allowed).length, 10)
})

t.test('in any window of time no more pass than the limit and one burst, however the calls arrive', async t => {
  const arrivals = fc.array(
    fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 20_000 })),
    {
      minLength: 50,
      maxLength: 600
    }
  )
  const property = fc.property(arrivals, fc.integer({ min: 1, max: 50 }), (pauses, max) => {
    const windowMs = 10_000
    const { ask, clock } = limiter()
    const passed: number[] = []
    for (const pause of pauses) {
      clock.advance(pause)
      if (ask('acme', max, windowMs).allowed) passed.push(clock.monotonic())
    }
    // From any call that passed on: the bucket holds `max`, and `max` more trickle in while the window lasts.
    return passed.every((from, i) => {
      const inWindow = passed.slice(i).filter(at => at - from <= windowMs).length
      const atOnce = passed.slice(i).filter(at => at === from).length
      return inWindow <= 2 * max && atOnce <= max
    })
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: runs(200) }))
})

t.test('in any window as long as the limit is, no more pass than its calls and one burst, for any burst', async t => {
  const limits = fc.constantFrom(
    '600/60,100',
    '600/60',
    '7/3',
    '7/3,20',
    '1/1,10',
    '50/10,1',
    '1000000/1,30',
    '3/86400'
  )
  const arrivals = fc.array(fc.oneof(fc.constant(0), fc.nat(300), fc.nat(8_000)), { minLength: 200, maxLength: 800 })
  const property = fc.property(limits, arrivals, (text, pauses) => {
    const limit = parseRateLimit(text)
    if (limit === null) return false
    const { ask, clock } = limiter()
    const passed: number[] = []
    for (const pause of pauses) {
      clock.advance(pause)
      if (ask('acme', limit.burst, refillSeconds(limit) * 1_000).allowed) passed.push(clock.monotonic())
    }
    const windowMs = limit.seconds * 1_000
    let until = 0
    return passed.every((from, i) => {
      while (until < passed.length && (passed[until] ?? 0) - from < windowMs) until++
      return until - i <= limit.calls + limit.burst
    })
  })
  t.doesNotThrow(() => fc.assert(property))
})

t.test(
  'a changed limit counts from the next call: no debt of a slower one is left, and no credit of a larger one',
  async t => {
    const { ask, clock } = limiter()
    const dayMs = 86_400_000
    t.ok(ask('raised', 1, dayMs).allowed)
    t.notOk(ask('raised', 1, dayMs).allowed)
    clock.advance(1_000)
    const raised = Array.from({ length: 20 }, () => ask('raised', 10, 10_000))
    t.strictSame(
      raised.map(({ ttl }) => ttl),
      raised.map(() => 1_000),
      'it has the new limit, spent'
    )
    clock.advance(10_000)
    t.equal(Array.from({ length: 20 }, () => ask('raised', 10, 10_000)).filter(({ allowed }) => allowed).length, 10)
    for (let i = 0; i < 50; i++) ask('lowered', 100, 10_000)
    t.equal(Array.from({ length: 20 }, () => ask('lowered', 10, 10_000)).filter(({ allowed }) => allowed).length, 5)
  }
)

t.test('a caller within the limit is never refused', async t => {
  const property = fc.property(fc.integer({ min: 1, max: 97 }), fc.integer({ min: 1, max: 7_001 }), (max, windowMs) => {
    const { ask, clock } = limiter()
    for (let i = 0; i < 300; i++) {
      if (!ask('acme', max, windowMs).allowed) return false
      clock.advance(windowMs / max)
    }
    return true
  })
  t.doesNotThrow(() => fc.assert(property))
})

t.test('a hundred thousand strangers free nobody who is throttled, and memory stays bounded', async t => {
  const { ask } = limiter({ maxKeys: 1_000 })
  while (ask('throttled', 5).allowed);
  const before = heapUsed()
  let passed = 0
  for (let i = 0; i < 100_000; i++) if (ask(`stranger ${i}`, 5).allowed) passed++
  t.ok(heapUsed() - before < 2_000_000, 'memory')
  t.equal(ask('throttled', 5).allowed, false)
  t.equal(passed, 999 + 5, 'each of those that fit in passes once; the others share one bucket')
})

t.test('a hundred thousand strangers take no more than 20 MB of a gateway', async t => {
  const { ask } = limiter({ maxKeys: 20_000 })
  while (ask('throttled', 5).allowed);
  const before = heapUsed()
  for (let i = 0; i < 100_000; i++) ask(`2001:db8:${i}::`, 120)
  const heldMb = (heapUsed() - before) / 1e6
  t.comment(`${heldMb.toFixed(1)} MB`)
  t.ok(heldMb <= 20)
  t.equal(ask('throttled', 5).allowed, false)
})

t.test('the largest limit is exact too', async t => {
  const { ask } = limiter()
  let passed = 0
  for (let i = 0; i < 1_000_100; i++) if (ask('acme', 1_000_000, 1_000).allowed) passed++
  t.equal(passed, 1_000_000)
})

t.test('room is made by forgetting buckets that are full again, and only those', async t => {
  const { ask, clock } = limiter({ maxKeys: 2 })
  ask('early', 2, 1_000)
  while (ask('throttled', 2, 60_000).allowed);
  clock.advance(1_000)
  t.equal(ask('new', 1, 60_000).allowed, true, 'it has the room of the early one')
  t.equal(ask('new', 1, 60_000).allowed, false, 'a bucket of its own')
  t.equal(ask('throttled', 2, 60_000).allowed, false)
  t.equal(ask('early', 1, 60_000).allowed, true, 'no room: the common bucket')
  t.equal(ask('another', 1, 60_000).allowed, false, 'which is empty now')
  clock.advance(60_000)
  t.equal(ask('another', 1, 60_000).allowed, true)
})

t.test('each limiter counts for itself, and each answer is an object of its own', async t => {
  const { store } = limiter()
  const one = store.child({} as never)
  const answers: object[] = []
  for (const counter of [one, one, store.child({} as never)]) {
    counter.incr('acme', (_error, result) => answers.push(result ?? {}), 60_000, 10)
  }
  t.match(answers, [{ current: 1 }, { current: 2 }, { current: 1 }])
})

t.test('a look tells what is spent and spends nothing', async t => {
  const { clock, store, ask } = limiter()
  const look = () => {
    const seen: object[] = []
    store.read('acme', (_error, result) => seen.push(result ?? {}), 60_000, 3)
    return seen[0]
  }
  t.strictSame(look(), { current: 0, ttl: 0 })
  ask('acme', 3)
  for (let i = 0; i < 10; i++) t.strictSame(look(), { current: 1, ttl: 20_000 })
  ask('acme', 3)
  clock.advance(20_000)
  t.strictSame(look(), { current: 1, ttl: 20_000 })
})

/** Bytes that are really held: after a collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

t.test('a limit names no more than its window where rounding lets a call through', async t => {
  const { ask, clock } = limiter()
  for (let i = 0; i < 7; i++) ask('acme', 7)
  clock.advance(60_000 / 7 - 5) // a little early: within the tolerance
  const { allowed, ttl } = ask('acme', 7)
  t.equal(allowed, true)
  t.equal(ttl, 60_000)
})
