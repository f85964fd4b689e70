import t from 'tap'
import { refillSeconds } from '../../../src/domain/values/rate-limit.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { type LimitItem, limitItems } from '../../support/limit-fields.ts'
import fc from '../../support/runner/properties.ts'

const clock = manualClock()
const config = {
  readLimit: { calls: 7, seconds: 60, burst: 7 },
  writeLimit: { calls: 30, seconds: 50, burst: 3 },
  addressLimit: { calls: 5, seconds: 60, burst: 5 }
}
const { as, asAcme, directory } = await gateway(t, { clock, config })

function item(field: string | string[] | undefined): LimitItem {
  const [only, ...others] = limitItems(field)
  if (only === undefined || others.length > 0) throw new Error(`not one item: ${field}`)
  return only
}

t.test('the RateLimit fields are structured fields, and what they promise comes true', async t => {
  const calls: [string, () => Promise<Reply>][] = [
    ['read', () => asAcme('GET', '/v2/livestreams')],
    ['read', () => asAcme('HEAD', '/v2/livestreams')],
    ['read', () => asAcme('GET', '/v2/nothing')],
    ['read', () => asAcme('GET', '/v2/livestreams?nothing=1')],
    ['write', () => asAcme('POST', '/v2/meetings', { nothing: 1 })],
    ['address', () => as(null)('GET', '/v2/livestreams')],
    ['address', () => as(null)('GET', '/nothing')]
  ]
  const limits = { read: config.readLimit, write: config.writeLimit, address: config.addressLimit }
  const left: Record<string, number> = {}
  const step = fc.record({ call: fc.nat(calls.length - 1), pauseMs: fc.integer({ min: 0, max: 4_000 }) })
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 25 }), async steps => {
    clock.advance(60_000)
    await directory.pull()
    for (const name of Object.keys(limits)) left[name] = limits[name as keyof typeof limits].burst
    for (const { call, pauseMs } of steps) {
      clock.advance(pauseMs)
      if (pauseMs > 0) await directory.pull()
      const [name, send] = calls[call] as (typeof calls)[number]
      const limit = limits[name as keyof typeof limits]
      const [q, w] = [limit.burst, Math.ceil(refillSeconds(limit))]
      const { statusCode, headers } = await send()
      const policy = item(headers['ratelimit-policy'])
      const state = item(headers.ratelimit)
      const fail = (why: string): never => {
        throw new Error(`${why}: ${statusCode} ${JSON.stringify(headers)}`)
      }
      if (policy.name !== name || policy.q !== q || policy.w !== w) fail('policy')
      if (state.name !== name) fail('names')
      const r = Number(state.r)
      const refused = statusCode === 429
      if (!Number.isInteger(r) || r < 0 || r >= q) fail('r')
      if (!Number.isInteger(state.t) || Number(state.t) < 1 || Number(state.t) > w) fail('t')
      if (refused && (r !== 0 || Number(headers['retry-after']) < Number(state.t))) fail('Retry-After')
      if (!refused && (headers['retry-after'] !== undefined || r < (left[name] ?? 0) - 1)) fail('remaining')
      left[name] = r
      if (!refused) continue
      clock.advance(Number(headers['retry-after']) * 1_000)
      await directory.pull()
      if ((await send()).statusCode === 429) fail('who waited as told was refused again')
    }
  })
  await t.resolves(fc.assert(property, { numRuns: 20 }))
})

t.test('the calls that are said to be left can be spent at once', async t => {
  clock.advance(60_000)
  await directory.pull()
  let reply = await asAcme('GET', '/v2/livestreams')
  for (let left = config.readLimit.calls - 1; left >= 0; left--) {
    t.equal(item(reply.headers.ratelimit).r, left)
    reply = await asAcme('GET', '/v2/livestreams')
    t.equal(reply.statusCode, left > 0 ? 200 : 429)
  }
})
