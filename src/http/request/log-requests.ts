import type { FastifyInstance, FastifyRequest } from 'fastify'
import { lastingKind } from '../limits/tenants-in-flight.ts'
import { outcomeOf, unknownOperation } from './audit.ts'

export interface LogRequestsOptions {
  /** One request of so many has a line. */
  oneIn: number
  /** A number from 0 to 1. */
  random?: () => number
}

/** Has a line in the log for requests that are over: whose, which and how long, and nothing that a caller has written. */
export function logRequests(app: FastifyInstance, { oneIn, random = Math.random }: LogRequestsOptions): void {
  const isChosen = (): boolean => oneIn === 1 || random() * oneIn < 1

  app.addHook('onResponse', (request, { statusCode, elapsedTime }, done) => {
    if (isChosen()) tell(request, { status: statusCode, outcome: outcomeOf(request, statusCode) }, elapsedTime)
    done()
  })
  // Its answer has nobody to go to, so `onResponse` never comes.
  app.addHook('onRequestAbort', (request, done) => {
    if (isChosen()) tell(request, { outcome: 'caller_left' })
    done()
  })
}

function tell(request: FastifyRequest, end: { status?: number; outcome: string }, durationMs?: number): void {
  const { id, method, routeOptions, tenantId, keyId, trace, failure } = request
  request.log.info(
    {
      event: 'request',
      request_id: id,
      operation: routeOptions.schema?.operationId ?? unknownOperation,
      method,
      tenant: tenantId,
      key: keyId,
      ...end,
      ...(failure != null && { type: failure.type }),
      ...(durationMs !== undefined && { duration_ms: Math.round(durationMs * 10) / 10 }),
      ...(lastingKind(request) !== null && { lasts: true }),
      ...(trace != null && { trace_id: trace.id })
    },
    'request'
  )
}
