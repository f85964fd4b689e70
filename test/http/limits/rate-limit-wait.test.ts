import Fastify from 'fastify'
import t from 'tap'
import { parseRateLimit, type RateLimit, refillSeconds } from '../../../src/domain/values/rate-limit.ts'
import { errorHandler } from '../../../src/http/answer/errors.ts'
import { limits } from '../../../src/http/limits/rate-limit.ts'
import { addressReader } from '../../../src/http/request/client-address.ts'
import { decorateRequests } from '../../../src/http/request/request.ts'
import { manualClock } from '../../support/clock.ts'
import { checkLimitFields, limitItems } from '../../support/limit-fields.ts'
import fc from '../../support/runner/properties.ts'

function limitOf(text: string): RateLimit {
  const limit = parseRateLimit(text)
  if (limit === null) throw new Error(text)
  return limit
}

/** The limits alone, each tenant with a limit of its own: what a gateway could not do for so many. */
async function limiterApp() {
  const clock = manualClock()
  const app = Fastify()
  decorateRequests(app)
  errorHandler(app)
  const unused = { calls: 1, seconds: 1, burst: 1 }
  const limit = await limits(app, {
    addressLimit: unused,
    readLimit: unused,
    writeLimit: unused,
    addressOf: addressReader([]),
    clock
  })
  let tenant: { id: string; readLimit: RateLimit | null; writeLimit: null }
  app.get('/', async (request, reply) => {
    request.caller = { tenant } as typeof request.caller
    reply.header('x-request-id', request.id)
    await limit.tenant(request, reply)
    return ''
  })
  let tenants = 0
  return {
    clock,
    become(readLimit: RateLimit) {
      tenant = { id: `tenant-${tenants++}`, readLimit, writeLimit: null }
    },
    async call() {
      const reply = await app.inject('/')
      const headers = reply.headers as Record<string, string | undefined>
      checkLimitFields('/v2', { statusCode: reply.statusCode, headers, body: reply.body })
      const [state] = limitItems(headers.ratelimit)
      const [policy] = limitItems(headers['ratelimit-policy'])
      return { allowed: reply.statusCode === 200, state, policy, retryAfter: Number(headers['retry-after']) }
    }
  }
}

t.test('a caller that waits exactly as told is let in, whatever the limit', async t => {
  const { clock, become, call } = await limiterApp()
  const upTo = (max: number) => fc.oneof(fc.integer({ min: 1, max }), fc.integer({ min: 1, max: Math.min(max, 12) }))
  const odd = ['7/3', '1/86400', '1000000/1,3', '1/1,20', '7/3,1', '86399/86400,5', '999983/86399,7', '1/7'].map(
    limitOf
  )
  const some = fc
    .record({ calls: upTo(1_000_000), seconds: upTo(86_400), burst: upTo(20) })
    .filter(limit => refillSeconds(limit) <= 86_400)
  const property = fc.asyncProperty(some, fc.nat(5), fc.nat(10_000), async (limit, rounds, pause) => {
    clock.advance(pause / 7)
    become(limit)
    for (let i = 0; i < limit.burst; i++) {
      const { allowed, state, policy } = await call()
      if (!allowed || state?.r !== limit.burst - 1 - i) return false
      if (policy?.q !== limit.burst || policy.w !== Math.max(1, Math.ceil(refillSeconds(limit)))) return false
    }
    for (let i = 0; i <= rounds; i++) {
      let last = await call()
      // A second may bring more than one call: spend them.
      while (last.allowed) last = await call()
      if (last.retryAfter < Number(last.state?.t) || last.state?.r !== 0) return false
      clock.advance(last.retryAfter * 1_000)
      if (!(await call()).allowed) return false
    }
    return true
  })
  const examples = odd.map(limit => [limit, 3, 1] as [RateLimit, number, number])
  await t.resolves(fc.assert(property, { numRuns: 150, examples }))
})

t.test(
  'a caller that waits as long as `t` says after an answer that was no refusal has the whole burst again',
  async t => {
    const { clock, become, call } = await limiterApp()
    for (const text of ['7/3', '600/60,10', '1/86400', '3/2,9']) {
      const limit = limitOf(text)
      become(limit)
      const { state } = await call()
      clock.advance(Number(state?.t) * 1_000)
      for (let i = 0; i < limit.burst; i++) t.ok((await call()).allowed, text)
      t.notOk((await call()).allowed, text)
    }
  }
)
