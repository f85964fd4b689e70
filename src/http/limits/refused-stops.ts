import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { IdempotencyKeyInUse } from '../../domain/refusals/failures.ts'
import { explain, sendFailure } from '../answer/errors.ts'
import type { Limits } from './rate-limit.ts'

/**
 * No limit holds a stop back, but what is refused before it can be one (its scope, its meeting, a field of its query) is none:
 * it counts as a write, and is a 429 when none is left. Else whoever may not stop could ask without end.
 */
export function refusedStops(app: FastifyInstance, { write }: Pick<Limits, 'write'>): void {
  const begun = new WeakSet<FastifyRequest>()

  // Wrapped before idempotency wraps it: a call has begun once idempotency has let it through.
  app.addHook('onRoute', route => {
    if (route.config?.rule?.limit !== 'never') return
    const { handler } = route
    route.handler = function (request, reply) {
      begun.add(request)
      return handler.call(this, request, reply)
    }
  })

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
}
