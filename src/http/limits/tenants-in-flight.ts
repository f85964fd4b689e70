import type { FastifyReply, FastifyRequest } from 'fastify'
import { RateLimited } from '../../domain/refusals/failures.ts'
import { isMutating, type Wrapper } from '../request/wrap-handlers.ts'
import { type LastingKind, type LastingOptions, lastingCalls } from './lasting-calls.ts'
import { limitFields } from './rate-limit.ts'

/** Count of the requests of each tenant that are under way. */
export interface TenantsInFlight {
  readonly max: number
  /** Counts the request until its answer is gone, or its connection. After `request.caller` is set. @throws RateLimited, but never for a stop */
  enter(request: FastifyRequest, reply: FastifyReply): void
  count(tenantId: string): number
  /** The work of a call that waits is done: it costs no more than its connection, and counts no longer. */
  release(request: FastifyRequest): void
  /** Counts a mutation until its handler is done, also when its caller has hung up. */
  whileAtWork: Wrapper
}

/** A counted request, and what ends its count. */
interface Stay {
  /** The handler of a mutation runs, and goes on when its caller hangs up. */
  atWork: boolean
  closed: boolean
  left: boolean
  tenantId: string
}

const retryAfterSeconds = 1

export interface InFlightOptions extends LastingOptions {
  /** Requests of one tenant at the same time. */
  maxInFlight: number
}

/**
 * Counts the requests of tenants; those that last have bounds of their own (`lasting-calls.ts`). A mutation counts until its handler is done, also when its caller has hung up: nobody starts
 * more by not waiting.
 */
export function tenantsInFlight({ maxInFlight: max, ...options }: InFlightOptions): TenantsInFlight {
  const lasting = lastingCalls(options)
  const counts = new Map<string, number>()
  /** Stays of mutations, and of calls that wait: the handler of any other read ends with its request. */
  const stays = new WeakMap<FastifyRequest, Stay>()
  const count = (tenantId: string): number => counts.get(tenantId) ?? 0

  const leave = (stay: Stay): void => {
    const { atWork, closed, left, tenantId } = stay
    if (atWork || !closed || left) return
    stay.left = true
    if (count(tenantId) > 1) counts.set(tenantId, count(tenantId) - 1)
    else counts.delete(tenantId)
  }

  return {
    max,
    count,
    whileAtWork(handler, { method }) {
      if (!isMutating(method)) return handler
      return async function (request, reply) {
        const stay = stays.get(request)
        if (stay === undefined) return handler.call(this, request, reply)
        stay.atWork = true
        try {
          return await handler.call(this, request, reply)
        } finally {
          stay.atWork = false
          leave(stay)
        }
      }
    },
    release(request) {
      const stay = stays.get(request)
      if (stay === undefined) return
      stay.closed = true
      leave(stay)
    },
    enter(request, reply) {
      const tenantId = request.caller.tenant.id
      const kind = lastingKind(request)
      if (kind !== null) lasting.enter(kind, tenantId, reply)
      if (kind === 'streams') return
      if (count(tenantId) >= max && request.routeOptions.config.rule?.limit !== 'never') {
        limitFields(reply, `"in_flight";q=${max};qu="concurrent-requests"`, `"in_flight";r=0;t=${retryAfterSeconds}`)
        const message = `at most ${max} requests at the same time`
        throw new RateLimited({ retryAfterSeconds, details: [{ field: 'in_flight', message }] })
      }
      if (reply.raw.closed) return // a caller that has hung up already would count for ever
      counts.set(tenantId, count(tenantId) + 1)
      const stay: Stay = { atWork: false, closed: false, left: false, tenantId }
      if (isMutating(request.method) || kind === 'waits') stays.set(request, stay)
      reply.raw.on('close', () => {
        stay.closed = true
        leave(stay)
      })
    }
  }
}

/** The kind of a call that lasts; null: it is answered as soon as its work is done. */
export function lastingKind({ routeOptions, query }: FastifyRequest): LastingKind | null {
  const { lasts } = routeOptions.config.rule ?? {}
  if (lasts === 'stream') return 'streams'
  return lasts === 'wait' && (query as { wait?: unknown }).wait !== undefined ? 'waits' : null
}
