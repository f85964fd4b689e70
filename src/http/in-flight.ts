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
  app.server.on('request', (_request, response: ServerResponse) => {
    open.add(response)
    response.once('close', () => {
      open.delete(response)
      if (open.size === 0) settled()
    })
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
