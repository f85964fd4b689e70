import t, { type Test } from 'tap'
import { gateway } from '../../support/gateway.ts'
import { type RawSocket, rawSocket } from '../../support/http/helper.ts'
import { freshKey } from '../../support/http/mutating.ts'
import { until } from '../../support/until.ts'

const limit = { calls: 10_000, seconds: 60, burst: 10_000 }
const world = await gateway(t, { config: { readLimit: limit, writeLimit: limit } })
const { app, asAcme, simulator, url, withKey, upstream, events } = world
const { key } = await withKey('acme', ['livestreams:stop'])

/** A meeting that is live, with what a client sends to stop it. */
async function live() {
  const { id } = (await asAcme('POST', '/v2/meetings')).json().data
  await asAcme('POST', `/v2/meetings/${id}/livestreams`)
  const path = `/v2/meetings/${id}/active-livestream/stop`
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n`
  const isLive = () => simulator.livestreams().some(one => one.meeting_id === id && one.status === 'LIVE')
  return { id, path, head, isLive }
}

/** The next call on the same connection is answered as it must be, or there is no next call. */
async function goesOn(t: Test, socket: RawSocket, what: string): Promise<void> {
  socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
  t.strictSame((await socket.answer()).json(), { status: 'ok' }, `${what}: the connection goes on`)
}

const large = 'x'.repeat(70_000)
const bodies: [type: string | null, body: string][] = [
  ['text/plain', '{}'],
  ['text/plain;charset=UTF-8', '{"any":"thing"}'],
  ['multipart/form-data; boundary=x', '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'],
  ['application/x-www-form-urlencoded', 'a=b'],
  ['application/json', 'null'],
  ['application/json', '[]'],
  ['application/json', '{"force":true}'],
  ['application/json', '{"broken'],
  ['application/json', '{"__proto__":1}'],
  ['application/json garbage', '{}'],
  ['garbage', ''],
  ['', ''],
  [null, '{}'],
  [null, large],
  ['application/json', large],
  ['application/octet-stream', 'x'.repeat(900_000)]
]

t.test('a livestream is stopped whatever the body of the stop is, and whatever it calls itself', async t => {
  const stopWith = async ([type, body]: (typeof bodies)[number]): Promise<void> => {
    const { path, head, isLive } = await live()
    const what = `${type} ${body.slice(0, 20)} of ${body.length}`
    const socket = await rawSocket(url)
    const typed = type === null ? head : `${head}content-type: ${type}\r\n`
    socket.write(`${typed}content-length: ${body.length}\r\n\r\n${body}`)
    t.equal((await socket.answer()).statusCode, 200, what)
    t.notOk(isLive(), what)
    await goesOn(t, socket, what)
    socket.destroy()
    const headers = { authorization: `Bearer ${key}`, ...(type !== null && { 'content-type': type }) }
    const injected = await app.inject({ method: 'POST', url: `${path}/`, headers, payload: body })
    t.not(injected.statusCode, 415, what)
    t.not(injected.statusCode, 413, what)
  }
  await Promise.all(bodies.map(stopWith))
})

t.test('a stop with its body in chunks, or asked for first, is carried out', async t => {
  const { head, isLive } = await live()
  const socket = await rawSocket(url)
  socket.write(`${head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`)
  t.equal((await socket.answer()).statusCode, 200, 'it began when its head had arrived')
  t.notOk(isLive())
  socket.write('0\r\n\r\n')
  await goesOn(t, socket, 'chunks')
  const other = await live()
  socket.write(`${other.head}expect: 100-continue\r\ncontent-length: 2\r\n\r\n`)
  t.strictSame([(await socket.answer()).statusCode, (await socket.answer()).statusCode], [100, 200])
  socket.write('{}')
  await goesOn(t, socket, '100-continue')
  t.notOk(other.isLive())
  socket.destroy()
})

t.test('a body that never comes: the answer does, and after a second the connection ends', async t => {
  for (const rest of [
    'content-length: 10\r\n\r\n{',
    'transfer-encoding: chunked\r\n\r\n',
    'content-length: 9\r\n\r\n'
  ]) {
    const { head, isLive } = await live()
    const socket = await rawSocket(url)
    socket.write(head + rest)
    t.equal((await socket.answer()).statusCode, 200)
    t.notOk(isLive())
    t.notOk(socket.ended())
    await t.resolves(until(() => socket.ended(), 1_500))
  }
})

t.test('an answer that comes later than that says that the connection ends', async t => {
  const { id, head, isLive } = await live()
  simulator.failNext({ match: { method: 'POST', path: `/meetings/${id}/active-livestream/stop` }, delayMs: 1_300 })
  const socket = await rawSocket(url)
  socket.write(`${head}content-length: 10\r\n\r\n`)
  const { statusCode, headers } = await socket.answer()
  t.strictSame([statusCode, headers.connection], [200, 'close'])
  t.notOk(isLive())
})

t.test('more than a megabyte is not read', async t => {
  const { head, isLive } = await live()
  const socket = await rawSocket(url)
  socket.write(`${head}content-length: 500000000\r\n\r\n`)
  t.equal((await socket.answer()).statusCode, 200)
  t.notOk(isLive())
  for (let i = 0; i < 40 && !socket.ended(); i++) {
    socket.write('x'.repeat(100_000))
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  t.ok(socket.ended(), 'long before the second is over')
  const received = (await events()).filter(({ status_detail }) => status_detail === 'caller_left')
  t.strictSame(received, [], 'who had his answer has not left')
})

t.test('a break of HTTP behind the head costs the connection, and not the answer', async t => {
  const broken = ['chunked\r\n\r\nzz\r\n', 'chunked\r\n\r\n5\r\nhelloX', 'garbage\r\n\r\n{}']
  for (const rest of broken) {
    const { id, head, isLive } = await live()
    simulator.failNext({ match: { method: 'POST', path: `/meetings/${id}/active-livestream/stop` }, delayMs: 200 })
    const socket = await rawSocket(url)
    socket.write(`${head}transfer-encoding: ${rest}`)
    const { statusCode, headers } = await socket.answer()
    t.strictSame([statusCode, headers.connection], [200, 'close'], rest)
    t.notOk(isLive())
  }
  const { head, isLive } = await live()
  for (const fields of ['chunked\r\ncontent-length: 3', 'chunked, garbage']) {
    const socket = await rawSocket(url)
    socket.write(`${head}transfer-encoding: ${fields}\r\n\r\n`)
    const { statusCode, headers } = await socket.answer()
    t.strictSame([statusCode, headers.connection], [400, 'close'], `${fields}: this is no head`)
  }
  t.ok(isLive())
})

t.test('two stops in a row on one connection, each with a body', async t => {
  const [first, second] = [await live(), await live()]
  const socket = await rawSocket(url)
  socket.write(`${first.head}content-length: 3\r\n\r\nabc${second.head}content-length: 70000\r\n\r\n${large}`)
  t.strictSame([(await socket.answer()).statusCode, (await socket.answer()).statusCode], [200, 200])
  t.notOk(first.isLive() || second.isLive())
  await goesOn(t, socket, 'two stops')
  socket.destroy()
})

t.test('under an idempotency key the body is no part of the request', async t => {
  const { id, path } = await live()
  const headers = freshKey()
  // The stops of before are looked after meanwhile.
  const stops = () => upstream().filter(call => call.startsWith('POST') && call.includes(id)).length
  t.equal((await asAcme('POST', path, undefined, headers)).statusCode, 200)
  const before = stops()
  for (const [type, body] of bodies) {
    const typed = { ...headers, ...(type ? { 'content-type': type } : {}) }
    const again = await asAcme('POST', path, body, typed)
    t.strictSame([again.statusCode, again.headers['idempotency-replayed']], [200, 'true'], `${type} ${body.length}`)
  }
  t.equal(stops(), before)
})

t.test('all other routes stay closed, and a stop that is refused reads no more than one that is not', async t => {
  const { id, head, path } = await live()
  const start = `/v2/meetings/${id}/livestreams`
  const textual = { 'content-type': 'text/plain' }
  t.equal((await asAcme('POST', start, '{}', textual)).statusCode, 415)
  t.equal((await asAcme('POST', start, large, { 'content-type': 'application/json' })).statusCode, 413)
  t.equal((await asAcme('POST', `${path}?force=1`, '{}', textual)).statusCode, 400, 'a query has fields')
  const socket = await rawSocket(url)
  socket.write(`${head.replace(key, 'nobody')}content-length: 500000000\r\n\r\n`)
  t.equal((await socket.answer()).statusCode, 401)
  await t.resolves(until(() => socket.ended(), 1_500))
})

t.test('the document says that a stop has no body', t => {
  const { paths } = app.swagger() as { paths: Record<string, { post?: { requestBody?: object; responses: object } }> }
  const { post } = paths['/v2/meetings/{meeting_id}/active-livestream/stop'] ?? {}
  t.equal(post?.requestBody, undefined)
  t.strictSame(
    Object.keys(post?.responses ?? {}).filter(status => status === '413' || status === '415'),
    []
  )
  t.end()
})
