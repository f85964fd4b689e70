import t from 'tap'
import { makeKey } from '../../../src/domain/api-key.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { isEnvelope, tally } from '../../support/http/helper.ts'

const clock = manualClock()
const { as, asAcme, directory, events } = await gateway(t, {
  clock,
  config: { addressLimit: { calls: 20, seconds: 60, burst: 20 } }
})
const nobody = as(null)

async function rested(): Promise<void> {
  clock.advance(60_000)
  await directory.pull()
}

async function spend(call: (i: number) => Promise<Reply>, count = 30): Promise<Record<string, number>> {
  const replies: Reply[] = []
  for (let i = 0; i < count; i++) replies.push(await call(i))
  return tally(replies)
}

t.test('calls without a valid key are limited by the address they come from, whatever is wrong with them', async t => {
  await rested()
  t.strictSame(await spend(() => nobody('GET', '/v2/meetings')), { 401: 20, 429: 10 }, 'no key')
  await rested()
  const guess = () => as(`Bearer ${makeKey().key.reveal()}`)('GET', '/v2/meetings')
  t.strictSame(await spend(guess), { 401: 20, 429: 10 }, 'a new guess each time')
  await rested()
  t.strictSame(await spend(i => nobody('GET', `/v2/${i}`)), { 401: 20, 429: 10 }, 'unknown paths of the API')
  await rested()
  t.strictSame(await spend(i => nobody('GET', `/${i}`)), { 404: 20, 429: 10 }, 'unknown paths outside of it')
})

t.test('all of them share one limit', async t => {
  await rested()
  const calls = [
    () => nobody('GET', '/v2/meetings'),
    () => nobody('HEAD', '/gateway/audit-events'),
    () => nobody('POST', '/v2/meetings', {}),
    () => nobody('GET', '/nothing')
  ]
  t.strictSame(await spend(i => (calls[i % 4] as () => Promise<Reply>)()), { 401: 15, 404: 5, 429: 10 })
})

t.test('a valid key is never held back by its address, and does not count against it', async t => {
  await rested()
  t.strictSame(await spend(() => asAcme('GET', '/v2/livestreams'), 40), { 200: 40 })
  t.strictSame(await spend(() => nobody('GET', '/v2/meetings')), { 401: 20, 429: 10 })
  t.equal((await asAcme('GET', '/v2/livestreams')).statusCode, 200)
})

t.test('headers that say where a call came from change nothing', async t => {
  await rested()
  const names = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'x-client-ip']
  const claim = (i: number) => ({
    [names[i % names.length] ?? '']: i % 6 === 1 ? `for=203.0.113.${i}` : `203.0.113.${i}`
  })
  t.strictSame(await spend(i => nobody('GET', '/v2/meetings', undefined, claim(i))), { 401: 20, 429: 10 })
  const addresses = new Set((await events()).map(({ src_endpoint }) => src_endpoint.ip))
  t.strictSame([...addresses], ['127.0.0.1'], 'nor is the audit log told a tale')
})

t.test('a 429 for an address says so; health needs no key and is never counted', async t => {
  await rested()
  await spend(() => nobody('GET', '/v2/meetings'), 20)
  const refused = await nobody('GET', '/v2/meetings')
  t.ok(isEnvelope(refused, 429, 'rate_limited'))
  t.match(refused.headers, {
    'ratelimit-policy': '"address";q=20;w=60',
    ratelimit: '"address";r=0;t=3',
    'retry-after': '3'
  })
  t.strictSame(await spend(() => nobody('GET', '/livez'), 40), { 200: 40 })
  clock.advance(3_000)
  t.equal((await nobody('GET', '/v2/meetings')).statusCode, 401)
  t.equal((await nobody('GET', '/v2/meetings')).statusCode, 429)
})
