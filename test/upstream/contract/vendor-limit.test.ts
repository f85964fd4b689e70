import t from 'tap'
import { isThrottled, readRetryAfter, readVendorLimit } from '../../../src/upstream/contract/refusals.ts'
import fc from '../../support/runner/properties.ts'

t.test("the vendor's field is read, and of several limits the one that lasts longest", async t => {
  const read = (ratelimit: string) => readVendorLimit({ ratelimit })
  t.strictSame(read('"default";r=50;t=30'), { remaining: 50, resetMs: 30_000, quota: null })
  t.strictSame(read('"burst";r=0;t=1, "default";r=50;t=30'), { remaining: 50, resetMs: 30_000, quota: null })
  t.strictSame(
    read('"one";r=60;t=30, "other";r=50;t=30'),
    { remaining: 50, resetMs: 30_000, quota: null },
    'of equals the smaller'
  )
  t.strictSame(read('"default"; r=50; t=30; pk=:c2Vj:'), { remaining: 50, resetMs: 30_000, quota: null })
  t.strictSame(read('"odd";r=?1;t=30, "default";r=7;t=3'), { remaining: 7, resetMs: 3_000, quota: null })
})

t.test('the policy says of how many, by the name of the limit or alone by any', async t => {
  const read = (policy: string) =>
    readVendorLimit({ ratelimit: '"default";r=50;t=30', 'ratelimit-policy': policy })?.quota
  t.equal(read('"default";q=1200;w=300'), 1_200)
  t.equal(read('"burst";q=100;w=60'), 100)
  t.equal(read('"burst";q=100;w=60, "default";q=1200;w=300'), 1_200)
  t.equal(read('"burst";q=100;w=60, "other";q=1200;w=300'), null)
  t.equal(read('"default";q=49;w=300'), null, 'less than what is left')
  for (const policy of ['', '"default";w=3', '"default";q=x', '"d']) t.equal(read(policy), null, policy)
})

t.test('fields that are malformed or missing say nothing', async t => {
  t.equal(readVendorLimit({}), null)
  for (const field of [
    '',
    'limit=100, remaining=5',
    '"default";r=50',
    '"default";t=3',
    '"a";r=-1;t=3',
    '"a";r=1.5;t=3',
    '"a'
  ]) {
    t.equal(readVendorLimit({ ratelimit: field }), null, field)
  }
  t.equal(readVendorLimit({ ratelimit: ['"default";r=50;t=30'] as unknown as string }), null)
  fc.assert(
    fc.property(fc.string(), field => {
      const limit = readVendorLimit({ ratelimit: field })
      return limit === null || (limit.remaining >= 0 && limit.resetMs >= 0)
    })
  )
})

t.test("a 429 is a refusal of the vendor's limit, and whatever its edge marks as one", async t => {
  t.equal(isThrottled(429, {}), true)
  t.equal(isThrottled(503, { 'x-envoy-ratelimited': 'true' }), true)
  t.equal(isThrottled(503, {}), false)
  t.equal(isThrottled(200, { 'x-envoy-ratelimited': 'true' }), false)
})

t.test('the time to wait is bounded, and five seconds when the vendor does not say', async t => {
  const table: [string | undefined, number][] = [
    ['4', 4],
    ['300', 300],
    ['0', 1],
    ['99999', 3_600],
    ['1000000', 5],
    ['soon', 5],
    [undefined, 5]
  ]
  for (const [text, seconds] of table) {
    t.equal(readRetryAfter(text === undefined ? {} : { 'retry-after': text }), seconds, text ?? 'none')
  }
})
