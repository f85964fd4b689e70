import t, { type Test } from 'tap'
import { VendorClock } from '../../../src/upstream/account/observed.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import { accountOf } from '../../support/account.ts'
import { manualClock } from '../../support/clock.ts'
import { vendor } from '../../support/upstream/vendor.ts'

const noon = Date.parse('2026-11-29T12:00:00.000Z')
const hourMs = 3_600_000

/** A vendor whose clock the test sets, and ours beside it. */
function world() {
  const clock = manualClock()
  const vendorClock = new VendorClock(clock)
  let aheadMs = noon
  const now = () => aheadMs + clock.monotonic()
  return {
    clock,
    vendorClock,
    step: (ms: number) => {
      aheadMs += ms
    },
    /** An answer that took so long to come. */
    answer(lateMs = 0) {
      const dateMs = Math.floor(now() / 1_000) * 1_000
      clock.advance(lateMs)
      vendorClock.heard(dateMs)
    },
    /** Distance between the time that is told and the true one. */
    offMs: () => (vendorClock.now('earliest') ?? Number.NaN) - now()
  }
}

t.test('before the first answer nothing is known', async t => {
  t.equal(new VendorClock(manualClock()).now('earliest'), null)
})

t.test('it goes on between answers, and is never ahead of the vendor and at most a second behind it', async t => {
  const { clock, answer, offMs } = world()
  for (let i = 0; i < 50; i++) {
    answer(i % 7)
    t.ok(offMs() <= 0 && offMs() > -1_010, `${offMs()}`)
    clock.advance(137)
  }
  t.ok(offMs() > -140, 'the more answers, the closer')
  clock.advance(100 * hourMs)
  t.ok(offMs() > -140, 'and that does not wear off')
})

t.test('an answer that comes late says less, and is not believed against one that said more', async t => {
  const { answer, offMs } = world()
  answer()
  answer(1_400)
  t.equal(offMs(), 0)
})

t.test(
  "a step of the vendor's own clock is followed when two answers agree, and one alone is not believed",
  async t => {
    for (const ms of [hourMs, -hourMs, 72 * hourMs, -72 * hourMs, 5_000, -5_000]) {
      const { answer, offMs, step } = world()
      answer()
      step(ms)
      answer()
      t.ok(Math.abs(offMs()) > 3_000, `${ms} ms: one answer alone`)
      answer()
      t.ok(offMs() <= 0 && offMs() > -1_000, `${ms} ms: off by ${offMs()}`)
    }
  }
)

t.test('old answers, as from a cache, between others neither keep it back nor step it back', async t => {
  for (const [what, first] of [
    ['the first one is old', -600_000],
    ['all after the first', 0]
  ] as const) {
    const { clock, vendorClock, step, answer, offMs } = world()
    step(first)
    answer()
    step(-first)
    const cachedMs = Math.floor((noon + clock.monotonic() - 600_000) / 1_000) * 1_000
    for (let i = 0; i < 3; i++) {
      answer()
      vendorClock.heard(cachedMs)
      clock.advance(2_000)
    }
    t.ok(offMs() <= 0 && offMs() > -1_000, `${what}: off by ${offMs()}`)
  }
})

t.test('a step of our clock changes nothing', async t => {
  const { clock, answer, offMs, vendorClock } = world()
  answer()
  const before = vendorClock.now('earliest')
  clock.step(-hourMs)
  t.equal(vendorClock.now('earliest'), before)
  answer()
  t.equal(offMs(), 0)
})

t.test(
  'while our clock agrees with it to the second ours is taken, which is more exact; else there are two bounds',
  async t => {
    const clock = manualClock()
    const vendorClock = new VendorClock(clock)
    const bounds = () => [vendorClock.now('earliest'), vendorClock.now('latest')]
    vendorClock.heard(Math.floor(clock.now() / 1_000) * 1_000)
    clock.advance(400)
    const [earliestMs, latestMs] = bounds() as [number, number]
    t.equal(earliestMs, clock.now())
    t.ok(latestMs >= clock.now() && latestMs <= clock.now() + 1_000)
    for (const ms of [hourMs, -hourMs, 72 * hourMs, -72 * hourMs]) {
      clock.step(ms)
      const [earliestMs, latestMs] = bounds() as [number, number]
      t.ok(latestMs - earliestMs <= 1_001)
      const trueMs = clock.now() - ms
      t.ok(earliestMs <= trueMs && trueMs <= latestMs, `${earliestMs} ${trueMs} ${latestMs}`)
      clock.step(-ms)
    }
  }
)

/** An account at a vendor that says this, with such a `Date`. */
async function accountAt(t: Test, status: number, body: string, date: string | null) {
  const { url } = await vendor(t, (_request, response) => {
    response.sendDate = false
    if (date !== null) response.setHeader('date', date)
    response.writeHead(status).end(body)
  })
  const clock = manualClock()
  const upstream = openUpstream({ account: accountOf({ url, org: 'o', key: 'k' }), deadlineMs: 5_000, clock })
  t.teardown(() => upstream.close())
  t.equal(upstream.vendorNowMs('earliest'), null)
  const { stop } = upstream.on({ tenantId: 'acme', priority: 'stop' })
  await stop('m1', AbortSignal.timeout(5_000)).catch(() => {})
  return { clock, upstream }
}

t.test('each answer tells the time, also one that refuses, fails or is not of the contract', async t => {
  const date = new Date(noon).toUTCString()
  for (const [status, body] of [
    [200, '{"success":true,"data":{"message":"stopped"}}'],
    [404, '{}'],
    [400, '{"success":false}'],
    [401, '{}'],
    [403, '{}'],
    [500, 'sorry'],
    [302, ''],
    [200, 'no JSON']
  ] as const) {
    const { upstream, clock } = await accountAt(t, status, body, date)
    t.equal(upstream.vendorNowMs('earliest'), noon, `${status} ${body}`)
    clock.advance(60_000)
    t.equal(upstream.vendorNowMs('earliest'), noon + 60_000)
  }
  for (const none of [null, 'yesterday', '']) {
    const { upstream } = await accountAt(t, 200, '{}', none)
    t.equal(upstream.vendorNowMs('earliest'), null, String(none))
  }
})
