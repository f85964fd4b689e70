import { connect } from 'node:net'
import t from 'tap'
import { gateway } from '../../support/gateway.ts'
import { isEnvelope, rawSocket } from '../../support/http/helper.ts'

const world = await gateway(t)
const { app, asAcme, url, withKey, upstream, events, logs } = world
const { key } = await withKey('acme', ['meetings:read', 'meetings:write'])
const head = `host: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n`
t.strictSame([app.server.requestTimeout, app.server.headersTimeout], [30_000, 30_000], 'Node would take the longer one')
// As Node reads it anew with each look at its connections; a slow body is half a minute otherwise.
app.server.requestTimeout = 200
app.server.headersTimeout = 200

/** Sends a byte again and again, as if it never heard anything, until the connection is gone. */
function dripping(bytes: string): { received(): string; gone: Promise<void> } {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  let received = ''
  socket.on('data', chunk => {
    received += chunk
  })
  socket.on('error', () => {})
  socket.write(bytes)
  const timer = setInterval(() => socket.write('x'), 20)
  const gone = new Promise<void>(resolve =>
    socket.on('close', () => {
      clearInterval(timer)
      resolve()
    })
  )
  t.teardown(() => socket.destroy())
  return { received: () => received, gone }
}

t.test('a body that comes too slowly is a 408 of which nothing was sent, and on record', async t => {
  for (const length of ['content-length: 1000', 'transfer-encoding: chunked']) {
    const socket = await rawSocket(url)
    const id = `slow-${length.length}`
    socket.write(`POST /v2/meetings HTTP/1.1\r\n${head}x-request-id: ${id}\r\n${length}\r\n\r\n`)
    const reply = await socket.answer()
    t.ok(isEnvelope(reply, 408, 'request_timeout'), reply.body)
    t.strictSame([reply.json().error.outcome, reply.json().error.request_id], ['not_sent', id])
    t.match(reply.headers, { 'x-request-id': id, connection: 'close', 'x-content-type-options': 'nosniff' })
    const found = (await events()).filter(({ metadata }) => metadata.correlation_uid === id)
    t.strictSame(
      found.map(({ status_code, unmapped }) => [status_code, unmapped.outcome]),
      [['408', 'not_sent']]
    )
  }
  t.strictSame(upstream(), [])
})

t.test('a caller that drips on behind a 408 is cut off, be it within a head or a body, and has one answer', async t => {
  const heads = ['GET /livez HTTP/1.1\r\nx-a: ', `POST /v2/meetings HTTP/1.1\r\n${head}content-length: 10000\r\n\r\n`]
  for (const bytes of heads) {
    const { received, gone } = dripping(bytes)
    await gone
    t.equal(received().match(/HTTP\/1\.1/g)?.length, 1, received())
    t.match(received(), /^HTTP\/1\.1 408 /)
  }
})

t.test('a caller that drips on behind any other answer is cut off without a second one', async t => {
  const { received, gone } = dripping(`POST /v2/meetings HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n`)
  await gone
  t.match(received(), /^HTTP\/1\.1 401 /)
  t.equal(received().match(/HTTP\/1\.1/g)?.length, 1, received())
})

t.test(
  'a body that breaks HTTP is refused in the envelope of its call, whether or not that waits for it already',
  async t => {
    for (const pauseMs of [0, 100]) {
      const socket = await rawSocket(url)
      socket.write(`POST /v2/meetings HTTP/1.1\r\n${head}x-request-id: broken\r\ntransfer-encoding: chunked\r\n\r\n`)
      await new Promise(resolve => setTimeout(resolve, pauseMs))
      socket.write('zz\r\n')
      const reply = await socket.answer()
      t.ok(isEnvelope(reply, 400, 'invalid_input'), reply.body)
      t.strictSame([reply.json().error.request_id, reply.headers.connection], ['broken', 'close'])
    }
  }
)

t.test('nobody was answered twice', async t => {
  t.notMatch(logs(), 'already sent')
  t.equal((await asAcme('GET', '/v2/meetings')).statusCode, 200)
})
