import t from 'tap'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { Secret } from '../../../src/domain/values/secret.ts'
import type { Priority } from '../../../src/upstream/provider.ts'
import { UpstreamBudget } from '../../../src/upstream/quota/budget.ts'
import { Breaker } from '../../../src/upstream/quota/restraint.ts'
import { Outbound } from '../../../src/upstream/transport/outbound.ts'
import { vendor } from '../../support/upstream/vendor.ts'

const deadlineMs = 60_000
const authorization = new Secret('Basic bWFkZTp1cA==')

t.test(
  'a hundred calls that hang hold back no start, stop or read of another tenant, nor what these have to look at',
  async t => {
    const kinds: [what: string, priority: Priority, method: 'GET' | 'POST'][] = [
      ['reads', 'read', 'GET'],
      ['starts', 'mutation', 'POST'],
      ['looks of starts', 'mutation', 'GET'],
      ['stops', 'stop', 'POST'],
      ['looks of stops', 'stop', 'GET']
    ]
    for (const [what, priority, method] of kinds) {
      const { url } = await vendor(t, ({ url }, response) => {
        if (url?.endsWith('/well')) response.end('{"success":true}')
      })
      const quota = { calls: 1_000_000, seconds: 60 }
      const budget = new UpstreamBudget({ quota, deadlineMs, clock: systemClock, spentBefore: [] })
      const breaker = new Breaker({ clock: systemClock })
      const outbound = new Outbound({
        budget,
        breaker,
        deadlineMs,
        clock: systemClock,
        connecting: { baseUrl: new URL(url), onDate() {} }
      })
      t.teardown(() => outbound.close())
      const call = (tenantId: string, path: string, signal: AbortSignal) =>
        outbound.pass({ tenantId, priority }, { method, path, signal, authorization })

      const over = new AbortController()
      const signal = AbortSignal.any([over.signal, AbortSignal.timeout(10_000)])
      const hanging = Promise.allSettled(Array.from({ length: 100 }, () => call('acme', '/hangs', signal)))
      const answer = call('globex', '/well', signal)
      const { status } = await answer.catch(() => ({ status: 'held back' }))
      t.equal(status, 200, what)
      over.abort()
      t.ok(
        (await hanging).every(({ status }) => status === 'rejected'),
        'none of them was answered'
      )
    }
  }
)

t.test('a tenant of which too many reads hang is refused, and another one is not', async t => {
  const { url } = await vendor(t, ({ url }, response) => {
    if (url?.endsWith('/well')) response.end('{"success":true}')
  })
  const budget = new UpstreamBudget({ quota: { calls: 1_000, seconds: 60 }, deadlineMs, clock: systemClock })
  const breaker = new Breaker({ clock: systemClock })
  const connecting = { baseUrl: new URL(url), onDate() {} }
  const outbound = new Outbound({ budget, breaker, deadlineMs, clock: systemClock, readsAtOnce: 40, connecting })
  t.teardown(() => outbound.close())
  const over = new AbortController()
  const read = (tenantId: string, path: string) =>
    outbound.pass({ tenantId, priority: 'read' }, { method: 'GET', path, signal: over.signal, authorization })
  const hanging = Array.from({ length: 50 }, () => read('acme', '/hangs').catch(error => error))
  const refused = await Promise.race(hanging)
  t.match(refused, { type: 'upstream_unavailable', retryAfterSeconds: 1, message: /Too many reads/ })
  t.equal((await read('globex', '/well')).status, 200)
  const sent = budget.status().sent
  over.abort()
  await Promise.all(hanging)
  t.ok(sent < 41, 'what is refused is not counted against the quota')
  t.equal(
    (
      await outbound.pass(
        { tenantId: 'acme', priority: 'read' },
        { method: 'GET', path: '/well', signal: AbortSignal.timeout(10_000), authorization }
      )
    ).status,
    200,
    'and asks again when they have ended'
  )
})

t.test('a read and a start wait until they are in the quota file, and a stop does not', async t => {
  const sent: string[] = []
  const { url } = await vendor(t, ({ method, url }, response) => {
    sent.push(`${method} ${url}`)
    response.end('{"success":true}')
  })
  const recorded = Promise.withResolvers<void>()
  let isRecorded = false
  const budget = new UpstreamBudget({ quota: { calls: 100, seconds: 60 }, deadlineMs, clock: systemClock })
  const breaker = new Breaker({ clock: systemClock })
  const connecting = { baseUrl: new URL(url), onDate() {} }
  const untilReserved = () => (isRecorded ? null : recorded.promise)
  const outbound = new Outbound({ budget, breaker, deadlineMs, clock: systemClock, connecting, untilReserved })
  t.teardown(() => outbound.close())
  const call = (priority: Priority, method: 'GET' | 'POST', path: string, signal = AbortSignal.timeout(10_000)) =>
    outbound.pass({ tenantId: 'acme', priority }, { method, path, signal, authorization })

  const others = [call('read', 'GET', '/read'), call('mutation', 'POST', '/start')]
  const over = new AbortController()
  const givenUp = call('mutation', 'POST', '/given-up', over.signal)
  await call('stop', 'POST', '/stop')
  t.strictSame(sent, ['POST /v2/stop'])
  t.equal(budget.status().sent, 1)
  over.abort()
  isRecorded = true
  recorded.resolve()
  const refusal = await givenUp.catch(error => error)
  t.match(refusal, { type: 'upstream_too_late', outcome: 'not_sent' })
  await Promise.all(others)
  t.strictSame(sent.toSorted(), ['GET /v2/read', 'POST /v2/start', 'POST /v2/stop'])
})

t.test('a sender hears of each call that goes out, however it ends, and of none that the quota holds back', async t => {
  const { url } = await vendor(t, (_request, response) => {
    response.statusCode = 500
    response.end('{}')
  })
  const quota = { calls: 10, seconds: 60 }
  const budget = new UpstreamBudget({ quota, deadlineMs, clock: systemClock, spentBefore: [] })
  const connecting = { baseUrl: new URL(url), onDate() {} }
  const breaker = new Breaker({ clock: systemClock })
  const outbound = new Outbound({ budget, breaker, deadlineMs, clock: systemClock, connecting })
  t.teardown(() => outbound.close())
  let heard = 0
  const errand = { tenantId: 'acme', priority: 'read', onSent: () => void heard++ } as const
  const call = { method: 'GET', path: '/fails', signal: AbortSignal.timeout(10_000), authorization } as const
  const results = []
  for (let i = 0; i < 20; i++) results.push(await outbound.pass(errand, call).catch(({ type }) => type))
  t.equal(heard, results.filter(type => type === 'upstream_failed').length)
  t.ok(heard > 0 && heard < 20, `${heard} of 20`)
})
