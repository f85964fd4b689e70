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
  /** Counts against the tenant's limit of the route's class; a stop is only told what is left. After `request.caller` is set. */
  tenant(request: FastifyRequest, reply: FastifyReply): Promise<unknown>
  /** Counts a write that has happened, whatever is left: never refuses. */
  spendWrite(request: FastifyRequest, reply: FastifyReply): Promise<void>
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
      const rule = request.routeOptions.config.rule?.limit ?? unknownPath(request)
      const name = rule === 'never' ? 'write' : rule
      const limit = limitOf(request.caller.tenant, name)
      if (rule === 'never') return tell(name, classes[name], limit, request, reply, { increment: false })
      return count(name, classes[name], limit, request, reply)
    },
    async spendWrite(request, reply) {
      await tell('write', classes.write, limitOf(request.caller.tenant, 'write'), request, reply)
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

/** Counts, or only looks with `increment: false`; sets the fields. Gives the seconds to wait when it is one too many. */
async function tell(
  name: string,
  limiter: Limiter,
  limit: RateLimit,
  request: FastifyRequest,
  reply: FastifyReply,
  options: { increment?: boolean } = {}
): Promise<number | null> {
  const result = await limiter(request, options)
  if (result.isAllowed) return null // only for an allow list, and there is none
  const seconds = Math.max(1, Math.ceil(result.ttl / 1_000))
  rateLimitFields(reply, name, limit, result.isExceeded ? 0 : result.remaining, seconds)
  return result.isExceeded ? seconds : null
}

/** @throws RateLimited, with the time to wait */
async function count(name: string, limiter: Limiter, limit: RateLimit, request: FastifyRequest, reply: FastifyReply) {
  const retryAfterSeconds = await tell(name, limiter, limit, request, reply)
  if (retryAfterSeconds === null) return
  const message = `at most ${limit.calls} calls in ${limit.seconds} s`
  throw new RateLimited({ retryAfterSeconds, details: [{ field: name, message }] })
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

/** A path that no route knows counts by its method. */
function unknownPath({ method }: FastifyRequest): 'read' | 'write' {
  return method === 'GET' || method === 'HEAD' ? 'read' : 'write'
}
