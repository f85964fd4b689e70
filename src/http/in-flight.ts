import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'

/** The requests that are under way, on whatever connection. */
export interface InFlight {
  /** Waits until there is none, or until it has taken too long. */
  empty(withinMs: number): Promise<void>
}

export function inFlight(app: FastifyInstance): InFlight {
  const open = new Set<ServerResponse>()
  let settled = (): void => {}
  // One for all: a closure for each request, and what `once` wraps it in, would be felt.
  function leave(this: ServerResponse): void {
    open.delete(this)
    if (open.size === 0) settled()
  }
  app.server.on('request', (_request, response: ServerResponse) => {
    open.add(response)
    response.on('close', leave)
  })
  return {
    empty: withinMs =>
      new Promise(resolve => {
        const timer = setTimeout(resolve, withinMs)
        settled = () => {
          clearTimeout(timer)
          resolve()
        }
        if (open.size === 0) settled()
      })
  }
}
