import t from 'tap'
import { Breaker } from '../../../src/upstream/quota/restraint.ts'
import { manualClock } from '../../support/clock.ts'
import fc from '../../support/runner/properties.ts'

function breakerOf(random = () => 0) {
  const clock = manualClock()
  const breaker = new Breaker({ clock, random })
  const isLetIn = (): boolean => {
    try {
      breaker.enter('acme')
      return true
    } catch {
      return false
    }
  }
  const fail = (times: number): void => {
    for (let i = 0; i < times; i++) breaker.failed('acme', true)
  }
  return { clock, breaker, isLetIn, fail }
}

t.test('five failures in a row open it, four do not, and a success between them counts from the beginning', async t => {
  const { breaker, isLetIn, fail } = breakerOf()
  fail(4)
  t.equal(isLetIn(), true)
  breaker.succeeded()
  fail(4)
  t.equal(isLetIn(), true)
  fail(1)
  t.equal(breaker.isOpen, true)
  const refusal = { status: 503, type: 'upstream_unavailable', retryAfterSeconds: 1 }
  t.throws(() => breaker.enter('acme'), refusal as unknown as Error)
})

t.test('after a second one trial is let through, and its success closes it', async t => {
  const { breaker, clock, isLetIn, fail } = breakerOf()
  fail(5)
  clock.advance(999)
  t.equal(isLetIn(), false)
  clock.advance(1)
  t.equal(isLetIn(), true, 'the trial')
  t.equal(isLetIn(), false, 'and no other')
  breaker.succeeded()
  t.equal(isLetIn(), true)
  t.equal(breaker.isOpen, false)
})

t.test('the pause doubles with each trial that fails, up to half a minute', async t => {
  const { breaker, clock, isLetIn, fail } = breakerOf()
  fail(5)
  for (const seconds of [1, 2, 4, 8, 16, 30, 30, 30]) {
    clock.advance(seconds * 1_000 - 1)
    t.equal(isLetIn(), false)
    clock.advance(1)
    t.equal(isLetIn(), true, `a trial after ${seconds} s`)
    breaker.failed('acme', true)
  }
  clock.advance(30_000)
  t.equal(isLetIn(), true)
  breaker.succeeded()
  fail(5)
  clock.advance(1_000)
  t.equal(isLetIn(), true, 'next time it begins with a second again')
})

t.test('a trial that is never heard of again is followed by another one an interval later', async t => {
  const { clock, isLetIn, fail } = breakerOf()
  fail(5)
  clock.advance(1_000)
  t.equal(isLetIn(), true)
  clock.advance(999)
  t.equal(isLetIn(), false)
  clock.advance(1)
  t.equal(isLetIn(), true)
})

t.test('a call that would have been sent anyway says nothing about the pace of trials, but may close it', async t => {
  const { breaker, clock, isLetIn, fail } = breakerOf()
  fail(5)
  for (let i = 0; i < 10; i++) breaker.failed('acme', false)
  clock.advance(1_000)
  t.equal(isLetIn(), true)
  breaker.failed('acme', false)
  breaker.succeeded()
  t.equal(isLetIn(), true)
})

t.test(
  'a trial comes at least an interval and at most a second more after the last, whatever the dice say',
  async t => {
    const property = fc.property(
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 8, maxLength: 8 }),
      dice => {
        let next = 0
        const { breaker, fail } = breakerOf(() => dice[next++ % dice.length] ?? 0)
        fail(5)
        return [1, 2, 4, 8, 16, 30, 30].every(seconds => {
          const inMs = breaker.opensInMs
          breaker.failed('acme', true)
          return inMs >= seconds * 1_000 && inMs <= seconds * 1_000 + 1_000
        })
      }
    )
    fc.assert(property)
    t.pass('for 100 dice')
  }
)

t.test('a tenant asks at once for what another alone finds broken, and closes the breaker by an answer', async t => {
  const { breaker, isLetIn, fail } = breakerOf()
  fail(5)
  t.equal(isLetIn(), false)
  t.equal(breaker.enter('globex'), false, 'it goes out, and is not the trial')
  breaker.succeeded()
  t.equal(isLetIn(), true)
})

t.test('each of the others finds out once when all is broken, and no more than one a second', async t => {
  const { breaker, clock, fail } = breakerOf()
  fail(5)
  const refusal = { status: 503, type: 'upstream_unavailable' } as unknown as Error
  breaker.enter('globex')
  t.throws(() => breaker.enter('initech'), refusal)
  breaker.failed('globex', false)
  clock.advance(1_000)
  breaker.enter('acme')
  breaker.failed('acme', true)
  clock.advance(1_000)
  t.throws(() => breaker.enter('globex'), refusal)
  breaker.enter('initech')
  breaker.failed('initech', false)
  t.ok(breaker.opensInMs <= 1_000, 'and the pace of trials is as it was')
})

t.test('a look whether a call may be sent uses up nothing', async t => {
  const { breaker, clock, isLetIn, fail } = breakerOf()
  fail(5)
  clock.advance(1_000)
  breaker.check('acme')
  breaker.check('acme')
  t.equal(isLetIn(), true)
})

t.test('a try besides the trial that tells nothing is given back', async t => {
  const { breaker } = breakerOf()
  for (let i = 0; i < 5; i++) breaker.failed('acme', false)
  t.equal(breaker.enter('globex'), false, 'one that has seen no failure')
  t.throws(() => breaker.enter('globex'), 'one of them a second')
  breaker.passOn('globex', false)
  t.equal(breaker.enter('globex'), false)
})

t.test('a trial that tells nothing passes on: the next call of the same tenant is one', async t => {
  const { breaker, clock, isLetIn, fail } = breakerOf()
  fail(5)
  clock.advance(1_000)
  t.equal(isLetIn(), true, 'the trial')
  t.equal(isLetIn(), false)
  breaker.passOn('acme', true)
  t.equal(isLetIn(), true, 'and the one behind it')
  t.equal(isLetIn(), false)
})

t.test(
  'a tenant that fails all the time does not use up the trials of one that has seen one failure and comes when it is told to',
  async t => {
    const { breaker, clock, fail } = breakerOf()
    fail(5)
    breaker.failed('globex', false)
    let comesAtMs = 0
    for (let ms = 0; breaker.isOpen && ms < 600_000; ms += 100) {
      // Ten times a second, always a moment earlier.
      for (const tenant of ['acme', 'initech']) {
        try {
          breaker.failed(tenant, breaker.enter(tenant))
        } catch {}
      }
      if (clock.monotonic() >= comesAtMs) {
        try {
          breaker.enter('globex')
          breaker.succeeded()
        } catch (refusal) {
          comesAtMs = clock.monotonic() + (refusal as { retryAfterSeconds: number }).retryAfterSeconds * 1_000
        }
      }
      clock.advance(100)
    }
    t.ok(clock.monotonic() < 5_000, `it was let in after ${clock.monotonic()} ms`)
  }
)

t.test('one failure of long ago counts as none', async t => {
  const { breaker, clock, isLetIn, fail } = breakerOf()
  fail(5)
  breaker.failed('globex', false)
  for (const seconds of [1, 2, 4, 8, 16, 30]) {
    clock.advance(seconds * 1_000)
    t.equal(isLetIn(), true)
    breaker.failed('acme', true)
  }
  clock.advance(1)
  breaker.enter('globex')
  breaker.failed('globex', false)
  clock.advance(29_000)
  const refusal = { status: 503, type: 'upstream_unavailable', retryAfterSeconds: 1 } as unknown as Error
  t.throws(() => breaker.enter('globex'), refusal, 'and a new one counts')
})

t.test('an outage of all costs a call or two a minute of each tenant, however often it asks', async t => {
  const { breaker, clock } = breakerOf()
  const calls: string[] = []
  const tenants = Array.from({ length: 20 }, (_, i) => `t${i}`)
  for (let i = 0; i < 6_000; i++) {
    for (const tenant of tenants) {
      try {
        const isTrial = breaker.enter(tenant)
        if (breaker.isOpen) calls.push(tenant)
        breaker.failed(tenant, isTrial)
      } catch {}
    }
    clock.advance(100)
  }
  t.ok(calls.length <= 300, `${calls.length} calls in ten minutes`)
  const most = Math.max(...tenants.map(tenant => calls.filter(one => one === tenant).length))
  t.ok(most <= 40, `${most} of one tenant`)
})
