import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { IdempotencyKeyInUse } from '../../domain/refusals/failures.ts'
import { explain, sendFailure } from '../answer/errors.ts'
import type { Wrapper } from '../request/wrap-handlers.ts'
import type { Limits } from './rate-limit.ts'

/**
 * No limit holds a stop back, but what is refused before it can be one (its scope, its meeting, a field of its query) is none:
 * it counts as a write, and is a 429 when none is left. Otherwise a caller that may not stop could ask without end.
 * Gives the wrapper that marks a stop as begun: it goes inside of that of idempotency, which may refuse a call.
 */
export function refusedStops(app: FastifyInstance, { write }: Pick<Limits, 'write'>): Wrapper {
  const begun = new WeakSet<FastifyRequest>()

  app.setErrorHandler((error, request, reply) => {
    if (!isRefusedStop(error, request)) return sendFailure(error, request, reply)
    const send = (failure: unknown): FastifyReply => sendFailure(failure, request, reply)
    return write(request, reply).then(() => send(error), send)
  })

  function isRefusedStop(error: unknown, request: FastifyRequest): boolean {
    if (request.routeOptions.config.rule?.limit !== 'never' || begun.has(request)) return false
    // Callers without a key count by address; while an idempotency key is in use the first stop under it is under way.
    return request.caller !== null && !(error instanceof IdempotencyKeyInUse) && explain(error).status < 500
  }

  return (handler, { config }) => {
    if (config?.rule?.limit !== 'never') return handler
    return function (request, reply) {
      begun.add(request)
      return handler.call(this, request, reply)
    }
  }
}
