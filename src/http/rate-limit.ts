import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../domain/clock.ts'
import { RateLimited } from '../domain/failures.ts'
import type { RateLimit } from '../domain/rate-limit.ts'
import type { Tenant } from '../domain/tenant.ts'
import { gcraStore } from './gcra.ts'

export interface LimitOptions {
  /** For calls without a valid key, per client address (IPv6: per /64). */
  addressLimit: RateLimit
  /** For tenants that have no limits of their own. */
  readLimit: RateLimit
  writeLimit: RateLimit
  clock: Clock
}

/** Each counts the call, sets the `RateLimit` fields, and throws RateLimited when it is one too many. */
export interface Limits {
  address(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Counts against the tenant's limit of the route's class. Call it after `request.caller` is set. */
  tenant(request: FastifyRequest, reply: FastifyReply): Promise<void>
}

/** Far more addresses than a front end has; beyond them the strangers share one bucket. Tenants always fit. */
const maxKeys = 20_000

/**
 * The limits of the HTTP side. They are called where the request is known well enough, and not by the plugin's own hooks,
 * which would never count a key that was refused.
 */
export async function limits(app: FastifyInstance, options: LimitOptions): Promise<Limits> {
  const { addressLimit, clock } = options
  await app.register(rateLimit, { global: false, store: gcraStore({ monotonic: clock.monotonic, maxKeys }) })

  // Without a keyGenerator the plugin counts by address, IPv6 by /64.
  const byAddress = app.createRateLimit({ max: addressLimit.calls, timeWindow: addressLimit.seconds * 1_000 })
  const classes = { read: byTenant('read'), write: byTenant('write') }

  return {
    address: (request, reply) => count('address', byAddress, addressLimit, request, reply),
    tenant: (request, reply) => {
      const name = classOf(request)
      return count(name, classes[name], limitOf(request.caller.tenant, name), request, reply)
    }
  }

  function byTenant(name: 'read' | 'write') {
    return app.createRateLimit({
      keyGenerator: ({ caller }) => caller.tenant.id,
      max: ({ caller }) => limitOf(caller.tenant, name).calls,
      timeWindow: (({ caller }: FastifyRequest) => limitOf(caller.tenant, name).seconds * 1_000) as unknown as number
    })
  }

  function limitOf({ readLimit, writeLimit }: Tenant, name: 'read' | 'write'): RateLimit {
    return name === 'read' ? (readLimit ?? options.readLimit) : (writeLimit ?? options.writeLimit)
  }
}

type Limiter = ReturnType<FastifyInstance['createRateLimit']>

async function count(name: string, limiter: Limiter, limit: RateLimit, request: FastifyRequest, reply: FastifyReply) {
  const result = await limiter(request)
  if (result.isAllowed) return // only for an allow list, and there is none
  const seconds = Math.max(1, Math.ceil(result.ttl / 1_000))
  rateLimitFields(reply, name, limit, result.isExceeded ? 0 : result.remaining, seconds)
  if (result.isExceeded) {
    throw new RateLimited({
      retryAfterSeconds: seconds,
      details: [{ field: name, message: `at most ${limit.calls} calls in ${limit.seconds} s` }]
    })
  }
}

/** draft-ietf-httpapi-ratelimit-headers: `q` is what can be spent at once, `t` the seconds until there is more. */
function rateLimitFields(
  reply: FastifyReply,
  name: string,
  { calls, seconds }: RateLimit,
  remaining: number,
  t: number
) {
  reply.header('ratelimit-policy', `"${name}";q=${calls};w=${seconds}`)
  reply.header('ratelimit', `"${name}";r=${remaining};t=${t}`)
}

/** A path that no route knows is a read. */
function classOf(request: FastifyRequest): 'read' | 'write' {
  const unknown = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write'
  return request.routeOptions.config.rule?.limit ?? unknown
}
