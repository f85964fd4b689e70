import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { isEnvelope, rawSocket } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

const clock = manualClock()
const { url, app, withKey, upstream, meeting, simulator } = await gateway(t, { clock })
let calls = 0
app.server.on('request', () => {
  calls += 1
})
const { key } = await withKey('acme', ['meetings:read', 'meetings:write'])
const head = `POST /v2/meetings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${key}\r\n`
const megabyte = 1024 * 1024

/** Sends all of it before it listens, as many clients do, and gives the answers: so many, or all when the connection ends. Rejects when it cannot send. */
async function sendAll(t: Test, bytes: string, answers = 1, isLast = false, at = url): Promise<string> {
  const { hostname, port } = new URL(at)
  const socket = connect({ host: hostname, port: Number(port) })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.write(bytes, error => (error ? reject(error) : resolve()))
  })
  let received = ''
  socket.on('data', chunk => {
    received += chunk
  })
  if (isLast) await once(socket, 'end')
  else await until(() => received.split('HTTP/1.1 ').length > answers && /\}$/.test(received))
  return received
}

t.test('a body of 5 MB is read on, so that its sender hears the 413, and the connection goes on', async t => {
  const body = 'x'.repeat(5 * megabyte)
  const chunked = `${'100000\r\n'}${'x'.repeat(megabyte)}\r\n`.repeat(5)
  const next = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'
  for (const rest of [
    `content-length: ${body.length}\r\n\r\n${body}`,
    `transfer-encoding: chunked\r\n\r\n${chunked}0\r\n\r\n`
  ]) {
    const received = await sendAll(t, `${head}${rest}${next}`, 2)
    t.match(received, /^HTTP\/1\.1 413 /)
    t.match(received, '"type":"payload_too_large"')
    t.match(received, /HTTP\/1\.1 200 OK[\s\S]*\{"status":"ok"\}$/, 'the next call on the connection is answered')
  }
  t.strictSame(upstream(), [])
})

t.test('a caller without a key hears of that first, however much it sends', async t => {
  const stranger = head.replace(key, 'nobody')
  const received = await sendAll(t, `${stranger}content-length: ${5 * megabyte}\r\n\r\n${'x'.repeat(5 * megabyte)}`)
  t.match(received, /^HTTP\/1\.1 401 /)
})

t.test('a caller that asks before sending is told at once, and sends nothing', async t => {
  const socket = await rawSocket(url)
  socket.write(`${head}expect: 100-continue\r\ncontent-length: ${5 * megabyte}\r\n\r\n`)
  const reply = await socket.answer()
  t.ok(isEnvelope(reply, 413, 'payload_too_large'), reply.body)
  socket.destroy()
})

t.test('it is not read without end: neither more than 16 MB, nor for longer than 5 s', async t => {
  const large = await rawSocket(url)
  large.write(`${head}content-length: ${500 * megabyte}\r\n\r\n`)
  t.equal((await large.answer()).statusCode, 413)
  const slow = await rawSocket(url)
  slow.write(`${head}content-length: ${5 * megabyte}\r\n\r\n`)
  t.equal((await slow.answer()).statusCode, 413)
  const part = 'x'.repeat(megabyte)
  for (let i = 0; i < 100 && !large.ended(); i++) {
    large.write(part)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  await until(() => large.ended())
  t.notOk(slow.ended(), 'it has time: the clock stands still')
  clock.advance(5_001)
  await until(() => slow.ended())
})

t.test('a refusal that ends the connection reaches who sends 5 MB first, whatever is refused', async t => {
  const body = `connection: close\r\ncontent-length: ${5 * megabyte}\r\n\r\n${'x'.repeat(5 * megabyte)}`
  const from = (line: string, authorization = '') => `${line} HTTP/1.1\r\nhost: x\r\n${authorization}${body}`
  const withKey = `authorization: Bearer ${key}\r\n`
  for (const [bytes, status] of [
    [head + body, 413],
    [from('POST /v2/meetings'), 401],
    [from('POST /v2/nope', withKey), 404],
    [from('POST /nope'), 404],
    [from('POST /v2/meetings/%zz'), 400],
    [from(`POST /v2/meetings/${meeting}/active-livestream/stop`, withKey), 403],
    [from('OPTIONS /v2/meetings'), 204]
  ] as const) {
    const received = await sendAll(t, bytes, 1, true)
    t.match(received, new RegExp(`^HTTP/1.1 ${status} `))
    t.match(received, /connection: close/i)
    t.equal(received.split('HTTP/1.1 ').length, 2, received)
  }
})

t.test('a caller that sends 12 MB with a stop before it listens hears that it is done', async t => {
  const { key, call } = await withKey('acme', ['livestreams:start', 'livestreams:stop'])
  const path = `/v2/meetings/${meeting}`
  t.equal((await call('POST', `${path}/livestreams`)).statusCode, 201)
  // By then more has arrived than is read of a stop's body before its answer.
  simulator.failNext({ match: { method: 'POST', path: '/meetings/*/active-livestream/stop' }, delayMs: 300 })
  const stop = `POST ${path}/active-livestream/stop HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n`
  const body = 'x'.repeat(12 * megabyte)
  const received = await sendAll(t, `${stop}content-length: ${body.length}\r\n\r\n${body}`, 1, true)
  t.match(received, /^HTTP\/1\.1 200 [\s\S]*connection: close/i)
})

t.test('bytes behind the body of the last call are no call any more', async t => {
  const before = calls
  const received = await sendAll(
    t,
    `POST /nope HTTP/1.0\r\nhost: x\r\ncontent-length: ${megabyte}\r\n\r\n${'x'.repeat(megabyte)}${head}content-length: 2\r\n\r\n{}`,
    1,
    true
  )
  t.match(received, /^HTTP\/1.1 404 /)
  t.equal(calls, before + 1)
})

t.test(
  'at the end of the gateway the rest of a body is read for a moment, so that its sender hears the 503',
  async t => {
    const { url, close, withKey, simulator, meeting } = await gateway(t, { config: { shutdownMs: 60_000 } })
    const { call } = await withKey('acme', ['meetings:read'])
    simulator.failNext({ match: { path: '/meetings/*' }, delayMs: 1_500 })
    const underWay = call('GET', `/v2/meetings/${meeting}`)
    await until(() => simulator.journal.length > 0)
    const closed = close()
    const post = `POST /v2/meetings HTTP/1.1\r\nhost: x\r\ncontent-length: ${5 * megabyte}\r\n\r\n`
    const received = await sendAll(t, post + 'x'.repeat(5 * megabyte), 1, true, url)
    t.match(received, /^HTTP\/1.1 503 [\s\S]*connection: close[\s\S]*"type":"shutting_down"/i)
    const silent = await rawSocket(url)
    silent.write(post)
    t.ok(isEnvelope(await silent.answer(), 503, 'shutting_down'), 'at once')
    t.equal((await underWay).statusCode, 200)
    await closed
  }
)
