import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isVendorId, likelySpelling } from '../../domain/id.ts'
import { type Failure, RateLimited } from '../../domain/refusals/failures.ts'
import { neighbourhood } from '../../domain/values/address.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { type Bucket, type CallCounter, type Counted, Gcra } from '../../domain/values/gcra.ts'
import { type RateLimit, refillSeconds } from '../../domain/values/rate-limit.ts'
import type { AddressOf } from '../request/client-address.ts'
import { gcraStore } from './gcra.ts'

export interface LimitOptions {
  /** Limit for calls without a valid key, per client address (IPv6: per /64). */
  addressLimit: RateLimit
  /** Limit for tenants that have none of their own. */
  readLimit: RateLimit
  writeLimit: RateLimit
  addressOf: AddressOf
  clock: Clock
  /** Counts the calls of tenants. Default: in this process alone. */
  counter?: CallCounter | undefined
}

/** The part of a limit that a tenant may still spend. */
export interface LimitLeft extends RateLimit {
  remaining: number
  /** Until nothing is spent any more. */
  resetSeconds: number
}

/** Each counts the call, sets the `RateLimit` fields, and throws RateLimited when it is one too many. */
export interface Limits {
  address(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Counts nothing, and sets the fields only when it throws: when the next call of this address would be one too many. */
  demandAddress(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** The same for what a browser asks before a page's call: ten times as much, since the calls themselves are counted too. */
  preflight(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Counts against the tenant's limit of the route's class; a stop is only told what is left. After `request.caller` is set. */
  tenant(request: FastifyRequest, reply: FastifyReply): Promise<unknown>
  /** Counts a write that has happened, whatever is left: never refuses. */
  spendWrite(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Counts a write. @throws RateLimited when none is left */
  write(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Counts nothing and sets nothing. */
  left(request: FastifyRequest): Promise<{ read: LimitLeft; write: LimitLeft }>
}

/** Far more addresses than a front end has; beyond them the strangers share one bucket. Tenants always fit. */
const maxKeys = 20_000

/**
 * The limits of the HTTP side. They are called where the request is known well enough, and not by the plugin's own hooks,
 * which would never count a key that was refused.
 */
export async function limits(app: FastifyInstance, options: LimitOptions): Promise<Limits> {
  const {
    addressLimit,
    addressOf,
    clock,
    counter = new Gcra({ monotonic: clock.monotonic, maxKeys: 2 * maxKeys })
  } = options
  await app.register(rateLimit, { global: false, store: gcraStore({ monotonic: clock.monotonic, maxKeys }) })

  const byAddress = limiter(
    app,
    () => addressLimit,
    request => neighbourhood(addressOf(request))
  )
  const preflightLimit = { ...addressLimit, calls: addressLimit.calls * 10, burst: addressLimit.burst * 10 }
  const preflights = limiter(
    app,
    () => preflightLimit,
    request => neighbourhood(addressOf(request))
  )

  return {
    address: (request, reply) => count('address', byAddress, addressLimit, request, reply),
    async demandAddress(request, reply) {
      const result = await byAddress(request, { increment: false })
      if (result.isAllowed || result.remaining > 0) return
      const seconds = Math.max(1, Math.ceil(addressLimit.seconds / addressLimit.calls))
      sayHow('address', addressLimit, 0, seconds, reply)
      throw tooMany('address', addressLimit, seconds)
    },
    preflight: (request, reply) => count('preflight', preflights, preflightLimit, request, reply),
    async tenant(request, reply) {
      const rule = request.routeOptions.config.rule?.limit ?? unknownPath(request)
      if (rule !== 'never') return demand(rule, await take(rule, request), request, reply)
      const limit = limitOf(request, 'write')
      // A stop waits for nobody who counts.
      tell('write', counter.recall(keyOf(request, 'write'), bucketOf(limit)), limit, reply)
    },
    async write(request, reply) {
      demand('write', await take('write', request), request, reply)
    },
    async spendWrite(request, reply) {
      tell('write', await take('write', request), limitOf(request, 'write'), reply)
    },
    async left(request) {
      return { read: await leftOf('read', request), write: await leftOf('write', request) }
    }
  }

  function limitOf({ caller }: FastifyRequest, name: Kind): RateLimit {
    const { readLimit, writeLimit } = caller.tenant
    return name === 'read' ? (readLimit ?? options.readLimit) : (writeLimit ?? options.writeLimit)
  }

  function take(name: Kind, request: FastifyRequest): Counted | Promise<Counted> {
    const bucket = bucketOf(limitOf(request, name))
    return counter.take(keyOf(request, name), bucket, name === 'read' ? meetingOf(request) : undefined)
  }

  /** @throws RateLimited, with the time to wait */
  function demand(name: Kind, counted: Counted, request: FastifyRequest, reply: FastifyReply): void {
    const limit = limitOf(request, name)
    const seconds = tell(name, counted, limit, reply)
    if (seconds !== null) throw tooMany(name, limit, seconds)
  }

  async function leftOf(name: Kind, request: FastifyRequest): Promise<LimitLeft> {
    const limit = limitOf(request, name)
    const { remaining, ttlMs } = await counter.look(keyOf(request, name), bucketOf(limit))
    return { ...limit, remaining, resetSeconds: Math.ceil(ttlMs / 1_000) }
  }
}

type Kind = 'read' | 'write'

/** No name of a class has a slash. */
function keyOf({ caller }: FastifyRequest, name: Kind): string {
  return `${name}/${caller.tenant.id}`
}

function bucketOf(limit: RateLimit): Bucket {
  return { max: limit.burst, windowMs: refillSeconds(limit) * 1_000 }
}

/** The meeting that a call names in its path, if any. */
function meetingOf({ params }: FastifyRequest): string | undefined {
  const { meeting_id: id } = (params ?? {}) as { meeting_id?: string }
  return id !== undefined && isVendorId(id) ? likelySpelling(id) : undefined
}

type Limiter = ReturnType<FastifyInstance['createRateLimit']>

/** Gives the plugin the burst as its max, and the time in which it refills as its window: so its store stays a plain GCRA. */
function limiter(
  app: FastifyInstance,
  limitOf: (request: FastifyRequest) => RateLimit,
  keyGenerator: (request: FastifyRequest) => string
): Limiter {
  return app.createRateLimit({
    keyGenerator,
    max: request => limitOf(request).burst,
    // A function also for a limit that never changes: of a number the plugin would cut off the fraction.
    timeWindow: ((request: FastifyRequest) => refillSeconds(limitOf(request)) * 1_000) as unknown as number
  })
}

/** Sets the fields. Gives the seconds to wait when it is one too many. */
function tell(
  name: string,
  { isAllowed, remaining, ttlMs }: Counted,
  limit: RateLimit,
  reply: FastifyReply
): number | null {
  const seconds = Math.max(1, Math.ceil(ttlMs / 1_000))
  sayHow(name, limit, remaining, seconds, reply)
  return isAllowed ? null : seconds
}

function sayHow(name: string, limit: RateLimit, remaining: number, seconds: number, reply: FastifyReply): void {
  const policy = `"${name}";q=${limit.burst};w=${Math.ceil(refillSeconds(limit))}`
  limitFields(reply, policy, `"${name}";r=${remaining};t=${seconds}`)
}

/** Counts. @throws RateLimited, with the time to wait */
async function count(name: string, limiter: Limiter, limit: RateLimit, request: FastifyRequest, reply: FastifyReply) {
  const result = await limiter(request)
  if (result.isAllowed) return // only for an allow list, and there is none
  const counted = { isAllowed: !result.isExceeded, remaining: result.remaining, ttlMs: result.ttl }
  const retryAfterSeconds = tell(name, counted, limit, reply)
  if (retryAfterSeconds !== null) throw tooMany(name, limit, retryAfterSeconds)
}

function tooMany(name: string, { calls, seconds, burst }: RateLimit, retryAfterSeconds: number): Failure {
  const atOnce = burst === calls ? '' : `${burst} at once and `
  const details = [{ field: name, message: `at most ${atOnce}${calls} calls in ${seconds} s` }]
  return new RateLimited({ message: `Too many requests: wait ${retryAfterSeconds} s`, retryAfterSeconds, details })
}

/**
 * draft-ietf-httpapi-ratelimit-headers: `q` is what can be spent at once, `w` the seconds in which that much refills, `r` what
 * is left, `t` the seconds until all of it is back or, when the call was one too many, until the next one is let in.
 */
export function limitFields(reply: FastifyReply, policy: string, state: string): void {
  reply.header('ratelimit-policy', policy)
  reply.header('ratelimit', state)
}

/** A path that no route knows counts by its method. */
function unknownPath({ method }: FastifyRequest): 'read' | 'write' {
  return method === 'GET' || method === 'HEAD' ? 'read' : 'write'
}
