import Fastify from 'fastify'
import t from 'tap'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { errorHandler } from '../../../src/http/answer/errors.ts'
import { freshlyAllowed } from '../../../src/http/request/freshly-allowed.ts'
import { decorateRequests } from '../../../src/http/request/request.ts'
import type { Directory } from '../../../src/store/memory/directory.ts'

/** A bare app whose caller holds a meeting that memory has forgotten. */
async function bare(meeting: () => Promise<never>, handler: () => object) {
  const app = Fastify()
  decorateRequests(app)
  errorHandler(app)
  const key = { digest: 'a', expiresAtMs: null, revokedAtMs: null }
  app.addHook('preHandler', async request => {
    Object.assign(request, { caller: { key, tenant: { id: 'acme' } }, meeting: { id: 'm' } })
  })
  const remembered = { meeting: () => undefined, livestream: () => undefined }
  const directory = {
    keyByDigest: () => key,
    tenant: () => ({ suspended: false }),
    remembered,
    meeting,
    livestream: meeting
  }
  freshlyAllowed(app, { directory: directory as unknown as Directory, clock: systemClock })
  app.post('/', async (_request, reply) => reply.header('age', '1').send(handler()))
  const { statusCode, body, headers } = await app.inject({ method: 'POST', url: '/' })
  return { statusCode, error: JSON.parse(body).error, age: headers.age }
}

t.test('an answer that nobody can check is not shown: the store that would know fails, or hangs', async t => {
  for (const meeting of [() => Promise.reject(new Error('broken')), () => new Promise<never>(() => {})]) {
    const { statusCode, error, age } = await bare(meeting, () => ({ success: true, data: 'private' }))
    t.strictSame([statusCode, error.type, age], [503, 'store_unavailable', undefined])
  }
})

t.test('a refusal that the handler has found out itself stays as it said it', async t => {
  const missing = () => Promise.resolve(null as never)
  const own = { success: false, error: { type: 'meeting_not_found', outcome: 'not_sent' } }
  t.strictSame((await bare(missing, () => own)).error, own.error)
})
