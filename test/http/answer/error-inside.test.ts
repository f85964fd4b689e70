import { randomBytes } from 'node:crypto'
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import t from 'tap'
import { NotFound } from '../../../src/domain/refusals/failures.ts'
import { errorHandler, refuseBytes, sendFailure } from '../../../src/http/answer/errors.ts'
import { decorateRequests } from '../../../src/http/request/request.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { isEnvelope, rawSocket } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

t.test('an error that the catalogue does not name becomes a bland 500; what is private stays in the log', async t => {
  const secret = randomBytes(12).toString('hex')
  const thrown: [string, () => unknown][] = [
    ['an error', () => new Error(`no such table ${secret}`)],
    ['one with a status', () => Object.assign(new Error(secret), { statusCode: 503, code: secret })],
    [
      'one that says it is the caller',
      () => Object.assign(new Error(secret), { statusCode: 409, headers: { secret } })
    ],
    ['one with a cause', () => new TypeError('outside', { cause: new Error(secret) })],
    ['a string', () => secret],
    ['an object', () => ({ message: secret, statusCode: 418 })],
    ['a number', () => 42],
    ['nothing', () => undefined]
  ]
  const { app, logs } = appThatThrows(thrown)
  for (const [i, [what]] of thrown.entries()) {
    const { statusCode, headers, body } = await app.inject(`/${i}`)
    const reply = { statusCode, headers: headers as Record<string, string>, body, json: () => JSON.parse(body) }
    t.ok(isEnvelope(reply, 500, 'internal'), `${what}: ${body}`)
    t.notOk(body.includes(secret), what)
    t.notOk(JSON.stringify(headers).includes(secret), what)
    t.strictSame(Object.keys(reply.json().error), ['code', 'type', 'message', 'request_id'], what)
  }
  t.match(logs(), `no such table ${secret}`, 'whoever runs it finds the reason in the log')
})

t.test('a failure of the catalogue shows its sentence and keeps its cause private', async t => {
  const { app, logs } = appThatThrows([['', () => new NotFound({ cause: new Error('the private part') })]])
  const { statusCode, body } = await app.inject('/0')
  t.equal(statusCode, 404)
  t.equal(JSON.parse(body).error.message, 'No such resource')
  t.notMatch(body, 'private')
  t.match(logs(), 'the private part')
  t.match(logs(), '"level":30', 'what a caller can do by itself is no error of the gateway')
})

t.test(
  'a handler that is stuck ends as a 503 of its own in the envelope, and what it comes to later is no second answer',
  async t => {
    const { app, logs } = appThatThrows([], { handlerTimeout: 20 })
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const ended: string[] = []
    app.get('/answers', async () => {
      await late
      ended.push('answers')
      return { success: true }
    })
    app.get('/sends', async (_request, reply) => {
      await late
      ended.push('sends')
      return reply.code(201).send({ success: true })
    })
    for (const url of ['/stuck', '/answers', '/sends']) {
      const { statusCode, body } = await app.inject(url)
      t.strictSame([statusCode, JSON.parse(body).error.type], [503, 'gateway_too_late'], url)
    }
    resolve()
    await until(() => ended.length === 2)
    await new Promise(resolve => setImmediate(resolve))
    t.notMatch(logs(), 'already sent')
  }
)

t.test('a body that is still awaited then is a 408 of which nothing was sent, and its handler never runs', async t => {
  const { app, logs } = appThatThrows([], { handlerTimeout: 50 })
  let ran = false
  app.post('/late', async () => {
    ran = true
  })
  const socket = await rawSocket(await app.listen({ host: '127.0.0.1', port: 0 }))
  socket.write('POST /late HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\nnu')
  const reply = await socket.answer()
  t.ok(isEnvelope(reply, 408, 'request_timeout'), reply.body)
  t.strictSame([reply.json().error.outcome, reply.headers.connection], ['not_sent', 'close'])
  socket.write('ll')
  await until(() => socket.ended())
  t.notOk(ran)
  t.notMatch(logs(), 'already sent')
})

t.test('a mutation that breaks inside says whether it happened: nothing was sent, or nobody knows yet', async t => {
  const { app } = appThatThrows([['', () => new Error('broken')]])
  const { app: hurried } = appThatThrows([], { handlerTimeout: 20 })
  app.post('/broken', async () => {
    throw new Error('before it was recorded')
  })
  app.post('/recorded', async request => {
    request.audited = true
    throw new Error('afterwards')
  })
  hurried.post('/slow', () => new Promise(() => {}))
  const outcome = async (url: '/broken' | '/recorded' | '/slow', of = app) =>
    (await of.inject({ method: 'POST', url })).json().error.outcome
  t.strictSame(
    [await outcome('/broken'), await outcome('/recorded'), await outcome('/slow', hurried)],
    ['not_sent', 'unknown', 'unknown']
  )
  t.equal((await app.inject('/0')).json().error.outcome, undefined, 'a read says nothing of the kind')
})

t.test('a request that arrives too slowly is told so', async t => {
  // Node looks for late requests only every 30 s, unless it is told to look more often.
  const http = { connectionsCheckingInterval: 20 }
  const app = Fastify({ http, requestTimeout: 50, clientErrorHandler: refuseBytes })
  t.teardown(() => app.close())
  app.get('/', async () => 'arrived')
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = await rawSocket(url)
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n')
  const reply = await socket.answer()
  t.ok(isEnvelope(reply, 408, 'request_timeout'), reply.body)
})

/** An app whose route `/<i>` throws what the i-th function makes, with our door out. */
function appThatThrows(thrown: [string, () => unknown][], options: { handlerTimeout?: number } = {}) {
  let log = ''
  const write = (line: string): void => {
    log += line
  }
  const loggerInstance: FastifyBaseLogger = makeLogger('info', { write })
  const app: FastifyInstance = Fastify({ ...options, loggerInstance, frameworkErrors: sendFailure })
  t.teardown(() => app.close())
  decorateRequests(app)
  errorHandler(app)
  app.get('/stuck', () => new Promise(() => {}))
  for (const [i, [, make]] of thrown.entries()) {
    app.get(`/${i}`, async () => {
      throw make()
    })
  }
  return { app, logs: () => log }
}
