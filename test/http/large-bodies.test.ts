import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { manualClock } from '../support/clock.ts'
import { gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'
import { isEnvelope, rawSocket } from './helper.ts'

const clock = manualClock()
const { url, withKey, upstream } = await gateway(t, { clock })
const { key } = await withKey('acme', ['meetings:read', 'meetings:write'])
const head = `POST /v2/meetings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${key}\r\n`
const megabyte = 1024 * 1024

/** Sends all of it before it listens, as many clients do, and gives the answers. Rejects when it cannot send. */
async function sendAll(t: Test, bytes: string, answers = 1): Promise<string> {
  const { hostname, port } = new URL(url)
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
  await until(() => received.split('HTTP/1.1 ').length > answers && /\}$/.test(received))
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

t.test('who has no key hears of that first, however much he sends', async t => {
  const stranger = head.replace(key, 'nobody')
  const received = await sendAll(t, `${stranger}content-length: ${5 * megabyte}\r\n\r\n${'x'.repeat(5 * megabyte)}`)
  t.match(received, /^HTTP\/1\.1 401 /)
})

t.test('who asks before sending is told at once, and sends nothing', async t => {
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

t.test('at the end of the gateway a body is awaited for a moment, so that its sender hears the 503', async t => {
  const { url, close, withKey, simulator, meeting } = await gateway(t, { config: { shutdownMs: 60_000 } })
  const { key, call } = await withKey('acme', ['meetings:read', 'meetings:write'])
  simulator.failNext({ match: { path: '/meetings/*' }, delayMs: 2_500 })
  const underWay = call('GET', `/v2/meetings/${meeting}`)
  await until(() => simulator.journal.length > 0)
  const closed = close()
  const socket = await rawSocket(url)
  socket.write(`POST /v2/meetings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: 2\r\n\r\n`)
  const answered = socket.answer()
  await new Promise(resolve => setTimeout(resolve, 100))
  t.notOk(socket.ended(), 'a reset would overtake the answer')
  socket.write('{}')
  const reply = await answered
  t.ok(isEnvelope(reply, 503, 'shutting_down'), reply.body)
  t.equal(reply.headers.connection, 'close')
  const silent = await rawSocket(url)
  silent.write(`POST /v2/meetings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: 2\r\n\r\n`)
  t.ok(isEnvelope(await silent.answer(), 503, 'shutting_down'), 'and for no longer than a moment')
  t.equal((await underWay).statusCode, 200)
  await closed
})
