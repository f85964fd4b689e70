import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { Caller } from '../../domain/caller.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { inTrace, type Trace } from '../../tracing/trace.ts'
import { parseTraceParent } from '../../tracing/traceparent.ts'
import type { Tracing } from '../../tracing/tracing.ts'

/** Begins the trace of a call whose caller is known: what a stranger says of traces is not believed, and costs nothing. */
export function beginTrace(
  request: FastifyRequest,
  reply: FastifyReply,
  tracing: Pick<Tracing, 'ofCall'>,
  clock: Pick<Clock, 'now'>
): Caller['trace'] {
  const { method, id, tenantId, routeOptions } = request
  const name = routeOptions.schema?.operationId ?? 'unknown'
  const facts = {
    'http.request.method': method,
    'http.route': routeOptions.url,
    'livegate.request_id': id,
    'livegate.tenant': tenantId ?? undefined
  }
  const parent = parseTraceParent(request.headers.traceparent)
  request.trace = tracing.ofCall(parent, name, facts, clock.now() - reply.elapsedTime)
  return request.trace
}

/** Has the rest of a call happen in its trace: hooks, handler, and whatever they ask of others. */
export function followTraces(scope: FastifyInstance): void {
  const follow = ({ trace }: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    if (trace === null) done()
    else inTrace(trace, done)
  }
  scope.addHook('onRequest', follow)
  // The end of a body is an event of its connection, which is in no trace.
  scope.addHook('preValidation', follow)

  scope.addHook('onRoute', route => {
    route.handler = outliving(route.handler)
  })
  scope.addHook('onResponse', async ({ trace, failure }, { statusCode }) => {
    if (trace !== null) end(trace, { 'http.response.status_code': statusCode, 'error.type': failure?.type })
  })
  scope.addHook('onRequestAbort', async ({ trace }) => {
    if (trace !== null) end(trace, { 'error.type': 'caller_left' })
  })
}

function end(trace: Trace, facts: Record<string, string | number | undefined>): void {
  if (trace.life.isAnswered) return
  trace.life.isAnswered = true
  trace.life.open -= 1
  trace.span?.end(facts)
}

/** The handler of a mutation goes on when its caller hangs up. */
function outliving(handler: RouteHandlerMethod): RouteHandlerMethod {
  return async function (request, reply) {
    const { trace } = request
    if (trace === null) return handler.call(this, request, reply)
    trace.life.open += 1
    try {
      return await handler.call(this, request, reply)
    } finally {
      trace.life.open -= 1
    }
  }
}
