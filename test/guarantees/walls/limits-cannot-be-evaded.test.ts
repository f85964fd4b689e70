import t from 'tap'
import { manualClock } from '../../support/clock.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { rawSocket, tally } from '../../support/http/helper.ts'

const clock = manualClock()
const limit = { calls: 10, seconds: 60, burst: 10 }
const config = { readLimit: limit, writeLimit: limit, addressLimit: limit }
const { app, asAcme, asGlobex, withKey, as, url, meeting, directory, upstream } = await gateway(t, { clock, config })
const { key } = await withKey('acme', ['livestreams:read', 'meetings:read', 'meetings:write'])
const list = '/v2/livestreams'

async function rested(): Promise<void> {
  clock.advance(60_000)
  await directory.pull()
}

/** Sends these bytes for each target on one connection, and gives the answers. */
async function raw(lines: string[], headless = false): Promise<Reply[]> {
  const socket = await rawSocket(url, { headless })
  const replies: Reply[] = []
  for (const line of lines) {
    socket.write(`${line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
    replies.push(await socket.answer())
  }
  socket.destroy()
  return replies
}

/** Other ways to say the same, or nearly. */
const targets = [
  list,
  `${list}?`,
  `${list}?page_no=1`,
  `${list}?page_no=2&per_page=7`,
  `${list}?x=1`,
  `${list}#x`,
  '/v2/%6civestreams',
  '/v2/livestreams%20',
  '/v2/livestreams/',
  '/v2//livestreams',
  '/v2/./livestreams',
  '/v2/x/../livestreams',
  '/V2/livestreams',
  '/v2/Livestreams',
  '/v2/LIVESTREAMS',
  '/v2;x=1/livestreams',
  '/v2/livestreams;x=1',
  '/v2',
  '/v2/',
  '//v2/livestreams',
  '//x/v2/livestreams',
  `http://x${list}`,
  `http://other.example${list}`,
  '/v2/livestreams%00',
  '/v2/livestreams%zz',
  `/v2/meetings/${meeting}`,
  `/v2/meetings/${meeting.toUpperCase()}`,
  '/gateway/usage',
  '/gateway//usage',
  '/gateway/nothing',
  '/client/v4/accounts/a/realtime/kit/b/livestreams'
]

t.test('a caller that has spent its reads gets no other by saying it differently', async t => {
  await rested()
  t.strictSame(tally(await raw(Array.from({ length: 12 }, () => `GET ${list}`))), { 200: 10, 429: 2 })
  const before = upstream().length
  for (const method of ['GET', 'HEAD']) {
    for (const target of targets) {
      const [reply] = await raw([`${method} ${target}`], method === 'HEAD')
      const status = reply?.statusCode ?? 0
      t.ok(
        status === 429 || (status >= 400 && /^"address"/.test(String(reply?.headers.ratelimit))),
        `${method} ${target}`
      )
    }
  }
  t.equal(upstream().length, before, 'and the vendor hears nothing')
})

t.test('every way to say it counts: as a read, or as a call of nobody', async t => {
  for (const method of ['GET', 'HEAD']) {
    for (const target of targets) {
      await rested()
      const replies = await raw(
        Array.from({ length: 11 }, () => `${method} ${target}`),
        method === 'HEAD'
      )
      t.equal(replies.at(-1)?.statusCode, 429, `${method} ${target}: ${JSON.stringify(tally(replies))}`)
      t.notOk(
        replies.slice(0, -1).some(({ statusCode }) => statusCode === 429),
        'and not before its time'
      )
    }
  }
})

t.test('ways to spend a write count together: methods, routes, bad input, a replayed key', async t => {
  await rested()
  const calls: (() => Promise<Reply>)[] = [
    () => asAcme('POST', '/v2/meetings', { nothing: 1 }),
    () => asAcme('POST', '/v2/meetings', '{', { 'content-type': 'application/json' }),
    () => asAcme('POST', '/v2/meetings', 'x', { 'content-type': 'text/plain' }),
    () => asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'Friday' }, { 'idempotency-key': 'once' }),
    () => asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'Friday' }, { 'idempotency-key': 'once' }),
    () => asAcme('POST', '/v2/nothing', {}),
    () => asAcme('DELETE', `/v2/meetings/${meeting}`),
    () => asAcme('PUT', list),
    () => asAcme('POST', `/v2/meetings/none/livestreams`),
    () => asAcme('POST', list, undefined, { 'x-http-method-override': 'GET' })
  ]
  const first: Reply[] = []
  for (const call of calls) first.push(await call())
  t.strictSame(tally(first), { 200: 2, 201: 1, 400: 2, 404: 4, 415: 1 })
  for (const call of calls) t.equal((await call()).statusCode, 429)
  t.equal((await asAcme('GET', list)).statusCode, 200, 'reads are another limit')
})

t.test('other keys, other schemes, other connections and claims about the address are the same tenant', async t => {
  await rested()
  const claims = ['x-forwarded-for', 'x-real-ip', 'cf-connecting-ip', 'forwarded', 'x-forwarded-host', 'x-tenant-id']
  const basic = Buffer.from(`acme:${key}`).toString('base64')
  const ways: ((i: number) => Promise<Pick<Reply, 'statusCode'>>)[] = [
    async i => asAcme('GET', list, undefined, { [claims[i % claims.length] ?? '']: `203.0.113.${i}` }),
    async () => as(`Basic ${basic}`)('GET', list),
    async () => as(`bearer ${key}`)('GET', list),
    async () => (await withKey('acme', ['livestreams:read'])).call('GET', list),
    async i => asAcme('GET', list, undefined, { 'x-request-id': `other-${i}` }),
    async () => (await raw([`HEAD ${list}`], true))[0] as Reply,
    async () => app.inject({ url: list, headers: { authorization: `Bearer ${key}` } }),
    async () => asAcme('GET', list, undefined, { 'x-http-method-override': 'POST' })
  ]
  const replies: Pick<Reply, 'statusCode'>[] = []
  for (let i = 0; i < 24; i++) replies.push(await (ways[i % ways.length] as (typeof ways)[number])(i))
  t.strictSame(tally(replies), { 200: 10, 429: 14 })
  t.equal((await asGlobex('GET', list)).statusCode, 200)
})

t.test('mixed keys, GET and HEAD, sockets and pipelines at once: exactly as many as the limit says', async t => {
  await rested()
  const { key: other } = await withKey('acme', ['livestreams:read'])
  const socket = await rawSocket(url)
  const lines = (i: number) => `GET ${list} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${i % 2 ? key : other}\r\n\r\n`
  socket.write(Array.from({ length: 100 }, (_, i) => lines(i)).join(''))
  const piped = (async () => {
    const replies: Reply[] = []
    for (let i = 0; i < 100; i++) replies.push(await socket.answer())
    socket.destroy()
    return replies
  })()
  const sockets = Array.from({ length: 60 }, (_, i) => asAcme(i % 2 ? 'GET' : 'HEAD', list))
  const injected = Array.from({ length: 60 }, (_, i) =>
    app.inject({ method: i % 2 ? 'GET' : 'HEAD', url: list, headers: { authorization: `Bearer ${other}` } })
  )
  const replies = [...(await piped), ...(await Promise.all(sockets)), ...(await Promise.all(injected))]
  t.strictSame(tally(replies), { 200: 10, 429: 210 })
})
