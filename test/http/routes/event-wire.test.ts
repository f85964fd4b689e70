import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { eventWire } from '../../../src/routes/gateway/event-wire.ts'
import type { TestContext } from '../../support/gateway.ts'

/** A stream between two sockets, and what its reader has had so far. */
async function connected(t: TestContext) {
  const begun = Promise.withResolvers<ReturnType<typeof eventWire>>()
  const server = createServer((_request, raw) => {
    const reply = { raw, headers: (fields: object) => ({ getHeaders: () => fields }), hijack() {} }
    const wire = eventWire({ recordNow() {} } as unknown as FastifyRequest, reply as unknown as FastifyReply)
    wire.begin({ seq: 41, isComplete: true })
    begun.resolve(wire)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ port, host: '127.0.0.1' }, resolve).on('error', reject).end()
  })
  answer.setEncoding('utf8')
  return { wire: await begun.promise, answer }
}

t.test('a heartbeat tells where the reader stands, or nothing but that the stream lives', async t => {
  const { wire, answer } = await connected(t)
  wire.heartbeat(null)
  wire.heartbeat(42)
  wire.end()
  let text = ''
  for await (const part of answer) text += part
  t.match(text, /^retry: \d+\nid: 41\n\n:\n\n:\nid: 42\n\n$/)
})

t.test('a reader that is cut is gone at once, and the stream is told', async t => {
  const { wire, answer } = await connected(t)
  const closed = Promise.withResolvers<void>()
  wire.onClose(closed.resolve)
  const lost = new Promise(resolve => answer.once('error', resolve))
  answer.resume()
  wire.cut()
  await Promise.all([closed.promise, lost])
  t.ok(wire.isClosed)
})

t.test('a writer hears when a slow reader has taken what it was sent', async t => {
  const { wire, answer } = await connected(t)
  const taken = Promise.withResolvers<void>()
  wire.onTaken(taken.resolve)
  for (let id = 0; wire.unreadBytes < 100_000 && id < 1_000_000; id++) wire.heartbeat(id)
  t.ok(wire.unreadBytes >= 100_000, 'nobody reads')
  answer.resume()
  await taken.promise
  t.equal(wire.unreadBytes, 0)
  wire.end()
})

t.test('a writer hears that a little was taken, which fills no buffer of the system', async t => {
  const { wire, answer } = await connected(t)
  answer.resume()
  for (let round = 0; round < 20; round++) {
    for (let id = 0; wire.unreadBytes < 20_000; id++) wire.heartbeat(id)
    await new Promise<void>(resolve => wire.onTaken(resolve))
    t.equal(wire.unreadBytes, 0)
  }
  wire.end()
})
