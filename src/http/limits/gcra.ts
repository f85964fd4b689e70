import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit'

export interface GcraOptions {
  /** Milliseconds that never run backwards. */
  monotonic(): number
  /** Keys at most; what comes beyond them shares one bucket. */
  maxKeys: number
}

type Done = (error: Error | null, result?: { current: number; ttl: number }) => void

/** Looking for buckets that are full again costs a walk over all keys: not more often than this. */
const sweepEveryMs = 1_000
const overflow = Symbol('all keys for which there was no room')

/** Part of a call: sums of `windowMs / max` are not exact, and a limit of 100 must let the hundredth pass. */
const rounding = 1e-3

/** An empty bucket is full again after its window; what rounding lets through beyond it is nothing to wait for. */
function spent(untilFullMs: number, spacingMs: number, windowMs: number): { current: number; ttl: number } {
  return { current: Math.ceil(untilFullMs / spacingMs - rounding), ttl: Math.min(untilFullMs, windowMs) }
}

/**
 * The generic cell rate algorithm as a store of @fastify/rate-limit: one time stamp a key, no window and so no window edge.
 * Each call gives a new object, since the plugin hands it on while other calls of the same tick are counted.
 * `ttl` is the time until the bucket is full again or, when the call is refused, until the next one is allowed.
 */
export function gcraStore({ monotonic, maxKeys }: GcraOptions): FastifyRateLimitStoreCtor {
  return class GcraStore implements FastifyRateLimitStore {
    /** Time at which the key's bucket will be full again. */
    readonly #fullAtMs = new Map<string | symbol, number>()
    #sweptAtMs = Number.NEGATIVE_INFINITY

    incr(key: string, done: Done, windowMs: number, max: number): void {
      const nowMs = monotonic()
      const bucket = this.#bucket(key, nowMs)
      const spacingMs = windowMs / max
      const fullAtMs = nowMs + this.#untilFullMs(bucket, nowMs, windowMs, spacingMs) + spacingMs
      const earlyMs = fullAtMs - nowMs - windowMs
      if (earlyMs > spacingMs * rounding) {
        done(null, { current: max + 1, ttl: earlyMs })
        return
      }
      this.#fullAtMs.set(bucket, fullAtMs)
      done(null, spent(fullAtMs - nowMs, spacingMs, windowMs))
    }

    /** Finds what `incr` would, without counting. */
    read(key: string, done: Done, windowMs: number, max: number): void {
      const nowMs = monotonic()
      const spacingMs = windowMs / max
      const untilFullMs = this.#untilFullMs(this.#bucket(key, nowMs), nowMs, windowMs, spacingMs)
      done(null, spent(untilFullMs, spacingMs, windowMs))
    }

    /** Each limiter counts for itself. */
    child(): FastifyRateLimitStore {
      return new GcraStore()
    }

    /** A bucket cannot be emptier than empty: one that was emptied under a slower limit is rid of that limit's debt. */
    #untilFullMs(bucket: string | symbol, nowMs: number, windowMs: number, spacingMs: number): number {
      const untilFullMs = Math.max(0, (this.#fullAtMs.get(bucket) ?? nowMs) - nowMs)
      if (untilFullMs <= windowMs + spacingMs * rounding) return untilFullMs
      this.#fullAtMs.set(bucket, nowMs + windowMs)
      return windowMs
    }

    #bucket(key: string, nowMs: number): string | symbol {
      if (this.#fullAtMs.has(key) || this.#fullAtMs.size < maxKeys) return key
      if (nowMs - this.#sweptAtMs >= sweepEveryMs) {
        this.#sweptAtMs = nowMs
        // Only a full bucket is forgotten: a throttled caller stays throttled, whatever else arrives.
        for (const [known, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(known)
      }
      return this.#fullAtMs.size < maxKeys ? key : overflow
    }
  }
}
