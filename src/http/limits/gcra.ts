import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import { type Counted, Gcra, type GcraOptions } from '../../domain/values/gcra.ts'

type Done = (error: Error | null, result?: { current: number; ttl: number }) => void

/**
 * The counter as a store of @fastify/rate-limit. Each call gives a new object, since the plugin hands it on while other calls of the
 * same tick are counted.
 */
export function gcraStore(options: GcraOptions): FastifyRateLimitStoreCtor {
  return class GcraStore implements FastifyRateLimitStore {
    readonly #gcra = new Gcra(options)

    incr(key: string, done: Done, windowMs: number, max: number): void {
      done(null, asTold(this.#gcra.take(key, { windowMs, max }), max))
    }

    /** Finds what `incr` would, without counting. */
    read(key: string, done: Done, windowMs: number, max: number): void {
      done(null, asTold(this.#gcra.look(key, { windowMs, max }), max))
    }

    /** Each limiter counts for itself. */
    child(): FastifyRateLimitStore {
      return new GcraStore()
    }
  }
}

/** More than `max` means: refused. */
function asTold({ isAllowed, remaining, ttlMs }: Counted, max: number): { current: number; ttl: number } {
  return { current: isAllowed ? max - remaining : max + 1, ttl: ttlMs }
}
