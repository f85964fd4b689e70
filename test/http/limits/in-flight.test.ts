import { request } from 'node:http'
import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import type { Reply } from '../../support/gateway.ts'
import { isEnvelope, rawSocket, tally } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

const world = await gatewayBehindDoor(t, { config: { maxInFlight: 3, deadlineMs: 60_000 } })
const { asAcme, asGlobex, withKey, meeting, otherMeeting, door, url, app } = world
const { key } = await withKey('acme', ['meetings:read', 'livestreams:read', 'livestreams:start'])
const look = `/v2/meetings/${meeting}`
const stop = `${look}/active-livestream/stop`
/** Each of its own page, so that none waits for the answer to another. */
const { id: livestream } = (await asAcme('POST', `${look}/livestreams`)).json().data
await asAcme('POST', stop)
const looks = Array.from({ length: 10 }, (_, i) => `/v2/livestreams/${livestream}?page_no=${i + 1}`)

const usage = async () => (await asAcme('GET', '/gateway/usage')).json().data
const now = async (): Promise<number> => (await usage()).in_flight.now
/** Nothing is under way but the question itself. */
const quiet = () => until(async () => (await now()) === 1)

t.test('requests of a tenant under way are bounded: the next is refused, but never a stop', async t => {
  await quiet()
  const before = (await usage()).limits.read.remaining
  door.hold('GET /v2/livestreams/')
  const answered: Reply[] = []
  const calls = looks.map(path => asAcme('GET', path).then(reply => answered.push(reply)))
  await until(() => answered.length === 7 && door.held().length === 3)
  t.strictSame(tally(answered), { 429: 7 })

  const refused = await asAcme('GET', '/gateway/usage')
  t.ok(isEnvelope(refused, 429, 'rate_limited'))
  t.strictSame(refused.json().error.details, [{ field: 'in_flight', message: 'at most 3 requests at the same time' }])
  t.match(refused.headers, {
    'ratelimit-policy': '"in_flight";q=3;qu="concurrent-requests"',
    ratelimit: '"in_flight";r=0;t=1',
    'retry-after': '1'
  })
  t.equal((await asAcme('GET', '/v2/nothing')).statusCode, 429, 'unknown paths too')
  t.equal((await asAcme('HEAD', '/v2/livestreams')).statusCode, 429)
  t.equal((await asAcme('POST', `${look}/livestreams`)).statusCode, 429)
  const { call } = await withKey('acme', ['livestreams:read'])
  t.equal((await call('GET', '/v2/livestreams')).statusCode, 429, 'another key is the same tenant')
  t.equal((await asGlobex('GET', `/v2/meetings/${otherMeeting}`)).statusCode, 200, 'another tenant is not')
  t.equal((await asAcme('POST', stop)).statusCode, 200, 'a stop is let in')

  door.release()
  await Promise.all(calls)
  t.strictSame(tally(answered), { 200: 3, 429: 7 })
  await quiet()
  const spent = before - (await usage()).limits.read.remaining
  t.ok(spent < 3 + 10, `what was refused has cost no read: ${spent}`)
})

t.test('a caller that hangs up is not under way any more, one or many on a connection', async t => {
  await quiet()
  for (const count of [1, 3]) {
    door.hold('GET /v2/livestreams/')
    const socket = await rawSocket(url)
    for (const path of looks.slice(0, count)) {
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
    }
    await until(() => door.held().length === count)
    socket.destroy()
    await quiet()
    door.release()
    await quiet()
  }
  t.strictSame(tally([await asAcme('GET', look)]), { 200: 1 })
})

t.test('a mutation whose caller has hung up counts until it has ended', async t => {
  await quiet()
  let closed = 0
  app.server.on('request', (_request, response) => response.on('close', () => !response.writableFinished && closed++))
  door.hold(`POST ${look}/livestreams`)
  const call = request(`${url}${look}/livestreams`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    agent: false
  })
  call.on('error', () => {}) // comes of hanging up
  call.end()
  await until(() => door.held().length === 1)
  call.destroy()
  await until(() => closed === 1)
  t.equal(await now(), 2)
  door.release()
  await quiet()
  t.equal((await asAcme('POST', stop)).statusCode, 200, 'it was done')
})

t.test('a caller that hangs up in the middle of a body leaves nothing behind', async t => {
  await quiet()
  const socket = await rawSocket(url)
  const head = `POST ${look}/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n`
  socket.write(`${head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"name"`)
  await until(async () => (await now()) === 2)
  socket.destroy()
  await quiet()
  t.pass('and was counted while it sent')
})

t.test('a call that is refused is over as well', async t => {
  await quiet()
  for (let i = 0; i < 5; i++) {
    t.equal((await asAcme('GET', '/v2/nothing')).statusCode, 404)
    t.equal((await asAcme('POST', '/v2/meetings', { nothing: 1 })).statusCode, 400)
    t.equal((await asAcme('POST', '/v2/meetings', '{')).statusCode, 415)
    t.equal((await asAcme('PATCH', `/v2/meetings/${otherMeeting}`, { title: 'x' })).statusCode, 404)
  }
  await quiet()
  t.equal(await now(), 1)
})
