import t from 'tap'
import { FairShare } from '../../../src/upstream/quota/quota-use.ts'
import fc from '../../support/runner/properties.ts'

const capacity = 100

/** A share of so many calls that leave it `windowMs` after they were taken. */
function shareOf(size = capacity, windowMs = 60_000) {
  const share = new FairShare({ activeMs: 30_000, claimMs: 5_000 })
  const out: { tenantId: string; atMs: number }[] = []
  let nowMs = 0
  const ask = (tenantId: string): boolean => {
    if (!share.mayTake(tenantId, size - share.used, size, nowMs)) return false
    share.take(tenantId, nowMs)
    out.push({ tenantId, atMs: nowMs + windowMs })
    return true
  }
  return {
    share,
    ask,
    askAll: (tenantId: string, times: number) =>
      Array.from({ length: times }, () => ask(tenantId)).filter(Boolean).length,
    pass(ms: number) {
      nowMs += ms
      while ((out[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) share.release(out.shift()?.tenantId ?? '')
    }
  }
}

t.test('a tenant that is alone may have nearly all of it, and a newcomer need not wait', async t => {
  const { askAll, pass } = shareOf()
  t.equal(askAll('acme', 1_000), 95)
  pass(100)
  t.equal(askAll('globex', 3), 2, 'and leaves a little to the next one')
})

t.test('the tenant that has had less comes first when there is room again', async t => {
  const { askAll, ask, pass } = shareOf()
  askAll('acme', 1_000)
  pass(50_000)
  askAll('globex', 1_000)
  pass(10_000)
  const asked = { acme: 0, globex: 0 }
  for (let i = 0; i < 100; i++) {
    if (ask('acme')) asked.acme += 1
    if (ask('globex')) asked.globex += 1
  }
  t.ok(Math.abs(asked.acme - asked.globex) <= 8, `acme has had ${asked.acme}, globex ${asked.globex}`)
  t.ok(asked.acme + asked.globex >= 90)
})

t.test('a call is kept for who was refused, and not for ever', async t => {
  const { ask, pass, share } = shareOf(3, 60_000)
  for (const tenant of ['acme', 'initech', 'umbrella']) t.equal(ask(tenant), true)
  pass(1_000)
  t.equal(ask('globex'), false)
  share.release('acme')
  t.equal(ask('acme'), false, 'the one that is free is kept')
  t.equal(ask('globex'), true)
  t.equal(ask('hooli'), false)
  share.release('initech')
  pass(5_000)
  t.equal(ask('initech'), false)
  pass(1)
  t.equal(ask('initech'), true, 'who did not come back for it in time has lost it')
})

t.test('a tenant that asks for little leaves the rest to others', async t => {
  const { ask, pass } = shareOf()
  let acme = 0
  let globex = 0
  let refused = 0
  for (let i = 0; i < 600; i++) {
    pass(1_000)
    for (let n = 0; n < 10; n++) if (ask('acme')) acme += 1
    if (i % 10 !== 0) continue
    if (ask('globex')) globex += 1
    else refused += 1
  }
  t.equal(globex, 60)
  t.equal(refused, 0, 'and is never refused')
  t.ok(acme > 800, `acme has had ${acme} of at most 940`)
})

t.test('among tenants that all ask for more each gets its share, also when that is less than one call', async t => {
  const property = fc.property(
    fc.integer({ min: 8, max: 30 }),
    fc.integer({ min: 8, max: 60 }),
    fc.array(fc.integer({ min: 3, max: 6 }), { minLength: 30, maxLength: 30 }),
    fc.integer({ min: 1, max: 1_000_000 }),
    (tenants, size, pace, seed) => {
      const { ask, pass } = shareOf(size, 3_000)
      const served = Array.from({ length: tenants }, () => 0)
      let random = seed
      for (let ms = 0; ms < 120_000; ms += 25) {
        pass(25)
        for (let i = 0; i < tenants; i++) {
          random = (random * 48_271) % 2_147_483_647
          if (random % (pace[i] ?? 1) === 0 && ask(`tenant-${i}`)) served[i] = (served[i] ?? 0) + 1
        }
      }
      const total = served.reduce((sum, n) => sum + n, 0)
      const share = total / tenants
      return served.every((n, i) => {
        // A call that is kept waits until its tenant asks again.
        const gapMs = 25 * (pace[i] ?? 1)
        const possible = Math.min((share * 3_000) / (3_000 + 2 * gapMs), 120_000 / gapMs)
        return n >= 0.9 * possible - 1
      })
    }
  )
  fc.assert(property, { numRuns: 30 })
  t.pass('30 random crowds')
})

t.test('tenants that nobody hears of any more are forgotten', async t => {
  const { share, ask, pass } = shareOf(10, 1_000)
  for (let i = 0; i < 1_000; i++) {
    ask(`tenant-${i}`)
    pass(200)
  }
  pass(60_000)
  for (let i = 0; i < 11; i++) ask('acme')
  t.strictSame(share.byTenant(), [{ tenantId: 'acme', used: 10 }])
  t.equal(share.size, 1)
})
