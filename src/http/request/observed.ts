import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Observer } from '../../domain/observer.ts'
import { lastingKind } from '../limits/tenants-in-flight.ts'
import { outcomeOf, unknownOperation } from './audit.ts'

/** Tells of each call when it is over: answered, or left by its caller. */
export function observeRequests(app: FastifyInstance, observer: Pick<Observer, 'request'>): void {
  app.addHook('onResponse', (request, { statusCode, elapsedTime }, done) => {
    const outcome = outcomeOf(request, statusCode)
    // A stream, or a call that waits for a run, takes as long as its caller wants.
    const durationMs = lastingKind(request) === null ? elapsedTime : null
    observer.request({
      ...factsOf(request),
      status: statusCode,
      outcome,
      durationMs
    })
    done()
  })
  // Its answer has nobody to go to, so `onResponse` never comes.
  app.addHook('onRequestAbort', (request, done) => {
    observer.request({ ...factsOf(request), status: null, outcome: 'unknown', durationMs: null })
    done()
  })
}

function factsOf({ routeOptions, tenantId }: FastifyRequest) {
  return { operation: routeOptions.schema?.operationId ?? unknownOperation, tenantId }
}
