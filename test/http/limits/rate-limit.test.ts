import t from 'tap'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { manualClock } from '../../support/clock.ts'
import { type Client, gateway, type Reply, type World } from '../../support/gateway.ts'
import { isEnvelope, rawSocket, tally } from '../../support/http/helper.ts'

const clock = manualClock()
const limits = { readLimit: { calls: 100, seconds: 60, burst: 100 }, writeLimit: { calls: 10, seconds: 60, burst: 10 } }
const world: World = await gateway(t, { clock, config: limits })
const { withKey, url, app, store, directory, asAcme, asGlobex } = world
const list = '/v2/livestreams'

/** As if nobody had called for a minute. */
async function rested(): Promise<void> {
  clock.advance(60_000)
  await directory.pull()
}

async function times(count: number, call: (i: number) => Promise<Reply>): Promise<Reply[]> {
  const replies: Reply[] = []
  while (replies.length < count) {
    const group = Array.from({ length: Math.min(50, count - replies.length) }, (_, i) => call(replies.length + i))
    replies.push(...(await Promise.all(group)))
  }
  return replies
}

t.test('exactly a hundred of a thousand reads pass at a limit of a hundred, however they are sent', async t => {
  const { key } = await withKey('acme', ['livestreams:read'])
  const authorization = `Bearer ${key}`
  const exactly = { 200: 100, 429: 900 }

  await rested()
  t.strictSame(tally(await times(1_000, () => asAcme('GET', list))), exactly, 'over separate sockets')

  await rested()
  const socket = await rawSocket(url)
  socket.write(`GET ${list} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n\r\n`.repeat(1_000))
  const piped: Reply[] = []
  for (let i = 0; i < 1_000; i++) piped.push(await socket.answer())
  socket.destroy()
  t.strictSame(tally(piped), exactly, 'pipelined on one socket')

  await rested()
  const injected = Array.from({ length: 1_000 }, () => app.inject({ url: list, headers: { authorization } }))
  t.strictSame(tally(await Promise.all(injected)), exactly, 'without a socket')
})

t.test('reads and writes have a limit each, and HEAD counts as the GET that it is', async t => {
  await rested()
  const reads = await times(100, i => asAcme(i % 2 ? 'GET' : 'HEAD', list))
  t.strictSame(tally(reads), { 200: 100 })
  t.equal((await asAcme('HEAD', list)).statusCode, 429)
  t.equal((await asAcme('GET', list)).statusCode, 429)
  const writes = await times(20, () => asAcme('POST', '/v2/meetings', { nothing: 1 }))
  t.strictSame(tally(writes), { 400: 10, 429: 10 })
})

t.test('a call that is refused counts as well: unknown paths, bad input, missing scopes', async t => {
  await rested()
  const { call } = await withKey('acme', ['livestreams:read'])
  const paths = [
    '/v2/nothing',
    '/v2/meetings',
    '/v2/livestreams?nothing=1',
    '/v2/livestreams/a.b',
    '/v2/livestreams/none'
  ]
  const replies = await times(105, i => call('GET', paths[i % paths.length] ?? ''))
  t.strictSame(tally(replies), { 400: 40, 403: 20, 404: 40, 429: 5 })
})

t.test('all keys of a tenant share its limit, and no other tenant feels it', async t => {
  await rested()
  const keys = await Promise.all(Array.from({ length: 4 }, () => withKey('acme', ['livestreams:read'])))
  const calls: Client[] = keys.map(({ call }) => call)
  const replies = await times(200, i => (calls[i % 4] ?? asAcme)('GET', list))
  t.strictSame(tally(replies), { 200: 100, 429: 100 })
  t.equal((await asGlobex('GET', list)).statusCode, 200)
})

t.test("a tenant's own limits hold instead of the common ones, from the moment they are set", async t => {
  await rested()
  const own = { readLimit: { calls: 3, seconds: 10, burst: 3 }, writeLimit: null }
  await tenantsIn(store).update('globex', own, clock.now())
  await directory.pull()
  const replies = await times(5, () => asGlobex('GET', list))
  t.strictSame(tally(replies), { 200: 3, 429: 2 })
  t.match(replies[0]?.headers, { 'ratelimit-policy': '"read";q=3;w=10' })
  t.strictSame(tally(await times(12, () => asGlobex('POST', '/v2/meetings', { nothing: 1 }))), { 400: 10, 429: 2 })
  await tenantsIn(store).update('globex', { readLimit: null }, clock.now())
  await directory.pull()
  t.match((await asGlobex('GET', list)).headers, { 'ratelimit-policy': '"read";q=100;w=60' })
})

t.test('a 429 says which limit it is and when to come again; who does so is let in', async t => {
  await rested()
  let last = await asAcme('GET', list)
  while (last.statusCode === 200) last = await asAcme('GET', list)
  t.ok(isEnvelope(last, 429, 'rate_limited'))
  t.strictSame(last.json().error.details, [{ field: 'read', message: 'at most 100 calls in 60 s' }])
  t.equal(last.json().error.message, `Too many requests: wait ${last.headers['retry-after']} s`)
  clock.advance(Number(last.headers['retry-after']) * 1_000)
  t.equal((await asAcme('GET', list)).statusCode, 200)
})

t.test('a stop is never refused; one that finds nothing live counts as a write all the same', async t => {
  await rested()
  const { meeting, otherMeeting } = world
  const stop = `/v2/meetings/${meeting}/active-livestream/stop`
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  const stopped = await asAcme('POST', stop)
  t.equal(stopped.statusCode, 200)
  t.match(stopped.headers, { 'ratelimit-policy': '"write";q=10;w=60', ratelimit: /^"write";r=9;/ }, 'the start counts')
  const fruitless = await asAcme('POST', stop)
  t.match(fruitless.headers, { ratelimit: /^"write";r=8;/ })
  t.strictSame(tally(await times(12, () => asAcme('POST', '/v2/meetings', { nothing: 1 }))), { 400: 8, 429: 4 })
  clock.advance(1_000) // fruitless stops of a meeting go out a second apart
  t.equal((await asAcme('POST', stop)).statusCode, 200)
  t.equal((await asGlobex('POST', `/v2/meetings/${otherMeeting}/active-livestream/stop`)).statusCode, 404)
})
