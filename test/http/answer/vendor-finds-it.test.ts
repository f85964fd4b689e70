import Fastify from 'fastify'
import t from 'tap'
import type { Occurrence } from '../../../src/audit/rollup.ts'
import { type FailureOptions, InvalidInput, StartUnsettled } from '../../../src/domain/refusals/failures.ts'
import { parseAddress } from '../../../src/domain/values/address.ts'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { errorHandler } from '../../../src/http/answer/errors.ts'
import { audit } from '../../../src/http/request/audit.ts'
import { decorateRequests } from '../../../src/http/request/request.ts'
import { gateway } from '../../support/gateway.ts'
import { vendorMutations } from '../../support/http/mutating.ts'

const details = [{ field: 'body.name', message: '"name" must be shorter' }]

/** Answer and audit events of a mutation that ends so before it has written events of its own. */
async function endsWith(Kind: typeof InvalidInput, options: FailureOptions) {
  const app = Fastify()
  const events: Occurrence[] = []
  decorateRequests(app)
  const addressOf = () => parseAddress('127.0.0.1') as NonNullable<ReturnType<typeof parseAddress>>
  audit(app, { append: one => events.push(one), fingerprint: () => '', addressOf, clock: systemClock })
  errorHandler(app)
  const config = { rule: { scope: 'meetings:write', limit: 'write' } } as const
  app.post('/', { config, schema: { operationId: 'createMeeting' } }, async () => {
    throw new Kind(options)
  })
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/' })
  return { statusCode, error: JSON.parse(body).error, ending: events[0]?.ending }
}

t.test(
  "a mistake of the caller's that the vendor has found is told with its words, and recorded as a refusal",
  async t => {
    const { statusCode, error, ending } = await endsWith(InvalidInput, {
      outcome: 'failed',
      details,
      upstreamStatus: 422
    })
    t.equal(statusCode, 400)
    t.match(error, { type: 'invalid_input', outcome: 'failed', details })
    t.match(ending, { outcome: 'refused', status: 400, type: 'invalid_input', upstreamStatus: 422 })
  }
)

t.test('a failure with another outcome is recorded as it is', async t => {
  const { ending } = await endsWith(StartUnsettled, { outcome: 'not_sent' })
  t.match(ending, { outcome: 'not_sent', status: 409 })
})

t.test('each mutation with a body documents it', async t => {
  const { app } = await gateway(t)
  const paths = app.swagger().paths as Record<
    string,
    Record<string, { responses: Record<string, { description: string }> }>
  >
  const routes = vendorMutations({ app })
  t.ok(routes.length >= 12)
  for (const { method, path, operationId } of routes) {
    const told = paths[path]?.[method.toLowerCase()]?.responses[400]?.description
    t.match(told, /^`invalid_input`: The request is not valid/, operationId)
    t.equal(/the livestream provider does not accept/.test(told ?? ''), operationId !== 'stopLivestream', operationId)
    t.equal(told?.split('`invalid_input`').length, 2, 'once')
  }
})
