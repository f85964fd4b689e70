import { randomBytes, randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { parseNetwork } from '../../../src/domain/values/address.ts'
import { accountOf } from '../../support/account.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type WorldOptions } from '../../support/gateway.ts'
import { rawSocket, tally } from '../../support/http/helper.ts'
import { meetingNews, statusUpdate, webhookSender } from '../../support/http/webhooks.ts'
import { until } from '../../support/until.ts'

const proxies = ['127.0.0.1'].map(parseNetwork).filter(one => one !== null)

/** A gateway behind a proxy, so that callers have addresses. */
async function world(t: Test) {
  const clock = manualClock()
  const running = await gateway(t, {
    clock,
    config: { addressLimit: { calls: 20, seconds: 60, burst: 20 }, trustedProxies: proxies }
  })
  const { send } = webhookSender(running.url, running.simulator)
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const forged = { 'rtk-signature': randomBytes(256).toString('base64') }
  const forge = (address: string) => send({ event: 'meeting.ended' }, { ...from(address), ...forged })
  return { ...running, clock, send, from, forge }
}

const [stranger, vendor] = ['203.0.113.7', '203.0.113.9']

t.test('forgers are limited by their address, like all who show no valid key', async t => {
  const { forge, as, from } = await world(t)
  const replies = []
  for (let i = 0; i < 30; i++) replies.push(await forge(stranger))
  t.strictSame(tally(replies), { 401: 20, 429: 10 })
  t.equal((await as(null)('GET', '/v2/meetings', undefined, from(stranger))).statusCode, 429, 'it is one limit')
  t.equal((await forge('203.0.113.8')).statusCode, 401)
})

t.test('an address that has used up its limit is refused before its body is read', async t => {
  const { forge, url, simulator } = await world(t)
  for (let i = 0; i < 20; i++) await forge(stranger)
  const socket = await rawSocket(url)
  const signature = simulator.webhooks.key.sign('x')
  const head = [
    'POST /webhooks/default HTTP/1.1',
    'host: a',
    `x-forwarded-for: ${stranger}`,
    `rtk-signature: ${signature}`
  ]
  socket.write(`${head.join('\r\n')}\r\ncontent-length: 60000\r\n\r\n`)
  const begunAtMs = performance.now()
  const { statusCode, headers } = await socket.answer()
  // A body that does not come is given up after half a minute.
  t.ok(performance.now() - begunAtMs < 20_000)
  t.equal(statusCode, 429)
  t.match(headers, { ratelimit: '"address";r=0;t=3', 'retry-after': '3', 'ratelimit-policy': '"address";q=20;w=60' })
  socket.destroy()
})

t.test('no body is read of a call that cannot be a webhook', async t => {
  const { url } = await world(t)
  for (const [path, status] of [
    ['/webhooks/default', 401],
    ['/webhooks/nobody', 404]
  ] as const) {
    const socket = await rawSocket(url)
    socket.write(`POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: 60000\r\n\r\n`)
    t.equal((await socket.answer()).statusCode, status)
    socket.destroy()
  }
})

t.test('a vendor is heard although strangers share its address', async t => {
  const { forge, send, from, meeting } = await world(t)
  const genuine = () => send(meetingNews('meeting.started', meeting), from(vendor))
  t.equal((await genuine()).statusCode, 200)
  const replies = []
  for (let i = 0; i < 30; i++) replies.push(await forge(vendor))
  t.strictSame(tally(replies), { 401: 20, 429: 10 })
  t.equal((await genuine()).statusCode, 200)
})

t.test('a webhook that is genuine counts against no address', async t => {
  const { send, from, forge } = await world(t)
  for (let i = 0; i < 40; i++) t.equal((await send({ event: 'a' }, from(vendor))).statusCode, 200)
  t.equal((await forge(vendor)).statusCode, 401)
})

t.test('a signed webhook cannot be sent again and again to fill the store', async t => {
  const { send, store, upstream } = await world(t)
  // Two bodies in turn, each under a new id: nothing in them says that they are old.
  const bodies = ['LIVE', 'IDLE'].map(status => statusUpdate('11111111-1111-4111-8111-111111111111', status))
  for (let i = 0; i < 100; i++) t.equal((await send(bodies[i % 2] ?? {})).statusCode, 200)
  const query = store.sql.selectFrom('webhook_deliveries').select('seq')
  t.equal((await store.engine.read(query.compile())).length, 30)
  await until(() => upstream().some(call => call.startsWith('GET /v2/livestreams/')))
  t.ok(upstream().length < 10, `${upstream().length} calls`)
})

t.test('livestreams that nobody knows are asked for one a second, and each once', async t => {
  const { send, upstream } = await world(t)
  for (let i = 0; i < 10; i++) await send(statusUpdate(randomUUID()))
  await until(() => upstream().some(call => call.startsWith('GET /v2/livestreams/')))
  t.equal(upstream().filter(call => call.startsWith('GET /v2/livestreams/')).length, 1)
})

t.test('meetings of other customers cost an account of a tenant’s own little', async t => {
  const config: WorldOptions['config'] = {}
  const { url, simulator, upstream } = await gateway(t, {
    config,
    async before(store, simulator) {
      await store.engine.write([
        store.sql.updateTable('tenants').set({ upstream: 'other' }).where('id', '=', 'globex').compile()
      ])
      await store.engine.write([store.sql.deleteFrom('meetings').compile()])
      Object.assign(config, { upstreams: [accountOf(simulator, { dedicatedTo: 'acme' })] })
    }
  })
  const { send } = webhookSender(url, simulator)
  const ids = Array.from({ length: 60 }, () => randomUUID())
  const asked = () => upstream().filter(call => ids.some(id => call === `GET /v2/meetings/${id}`))
  for (const id of ids) t.equal((await send(meetingNews('meeting.started', id))).statusCode, 200)
  await until(() => asked().length >= 30)
  const again = ids.slice(0, 10)
  for (const id of again) await send(meetingNews('meeting.ended', id))
  t.ok(asked().length < 40, `${asked().length} calls`)
  for (const id of again) t.equal(asked().filter(call => call.endsWith(id)).length, 1)
})
