import type { FastifyInstance, RouteHandlerMethod, RouteOptions } from 'fastify'

/** Puts work around the handler of a route, or gives the handler itself where there is none. */
export type Wrapper = (handler: RouteHandlerMethod, route: RouteOptions) => RouteHandlerMethod

/** Wraps the handlers of all routes that are registered after it. The first wrapper is the outermost. */
export function wrapHandlers(app: FastifyInstance, wrappers: Wrapper[]): void {
  app.addHook('onRoute', route => {
    route.handler = wrappers.reduceRight((handler, wrap) => wrap(handler, route), route.handler)
  })
}

/** True of a method that may change something. */
export function isMutating(method: RouteOptions['method']): boolean {
  return [method].flat().some(one => /^(POST|PUT|PATCH|DELETE)$/.test(one))
}
