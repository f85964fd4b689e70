/** Room for calls: `max` at once, refilled evenly within `windowMs`. `max` may have a fraction, where it is a share of a limit. */
export interface Bucket {
  readonly max: number
  readonly windowMs: number
}

/** The result of counting a call. */
export interface Counted {
  isAllowed: boolean
  /** Calls that may still come at once. */
  remaining: number
  /** Until the bucket is full again or, when the call is refused, until the next one is let in. */
  ttlMs: number
}

/** Counts calls. It may have to ask another place, and then gives a promise that never rejects. */
export interface CallCounter {
  /** Counts a call if it is allowed. @param meetingId the meeting that it is about, whose changes are then heard of */
  take(key: string, bucket: Bucket, meetingId?: string): Counted | Promise<Counted>
  /** Finds what `take` would, without counting. */
  look(key: string, bucket: Bucket): Counted | Promise<Counted>
  /** The same as far as this process knows. */
  recall(key: string, bucket: Bucket): Counted
}

export interface GcraOptions {
  /** Milliseconds that never run backwards. */
  monotonic(): number
  /** Keys at most; what comes beyond them shares one bucket. */
  maxKeys: number
}

/** Looking for buckets that are full again costs a walk over all keys: not more often than this. */
const sweepEveryMs = 1_000
const overflow = Symbol('all keys for which there was no room')

/** Part of a call: sums of `windowMs / max` are not exact, and a limit of 100 must let the hundredth pass. */
export const rounding = 1e-3

/** The answer for a bucket that is full again after so long. A call that is one too many is early. */
export function counted(untilFullMs: number, earlyMs: number, { max, windowMs }: Bucket): Counted {
  if (earlyMs > 0) return { isAllowed: false, remaining: 0, ttlMs: earlyMs }
  const remaining = Math.floor(max - (untilFullMs * max) / windowMs + rounding)
  // An empty bucket is full again after its window; what rounding lets through beyond it is nothing to wait for.
  return { isAllowed: true, remaining: Math.max(0, remaining), ttlMs: Math.min(untilFullMs, windowMs) }
}

/** The generic cell rate algorithm: one time stamp a key, no window and so no window edge. */
export class Gcra implements CallCounter {
  readonly #options: GcraOptions
  /** Time at which the key's bucket will be full again. */
  readonly #fullAtMs = new Map<string | symbol, number>()
  #sweptAtMs = Number.NEGATIVE_INFINITY

  constructor(options: GcraOptions) {
    this.#options = options
  }

  take(key: string, bucket: Bucket): Counted {
    const nowMs = this.#options.monotonic()
    const place = this.#place(key, nowMs)
    const spacingMs = bucket.windowMs / bucket.max
    const fullAtMs = nowMs + this.#untilFullMs(place, nowMs, bucket) + spacingMs
    const earlyMs = fullAtMs - nowMs - bucket.windowMs
    if (earlyMs > spacingMs * rounding) return counted(0, earlyMs, bucket)
    this.#fullAtMs.set(place, fullAtMs)
    return counted(fullAtMs - nowMs, 0, bucket)
  }

  look(key: string, bucket: Bucket): Counted {
    const nowMs = this.#options.monotonic()
    return counted(this.#untilFullMs(this.#place(key, nowMs), nowMs, bucket), 0, bucket)
  }

  recall(key: string, bucket: Bucket): Counted {
    return this.look(key, bucket)
  }

  /** The time until the key's bucket is full again. */
  untilFullMs(key: string): number {
    const nowMs = this.#options.monotonic()
    return Math.max(0, (this.#fullAtMs.get(this.#place(key, nowMs)) ?? nowMs) - nowMs)
  }

  /** Takes over what another place has counted. */
  set(key: string, untilFullMs: number): void {
    const nowMs = this.#options.monotonic()
    this.#fullAtMs.set(this.#place(key, nowMs), nowMs + untilFullMs)
  }

  /** A bucket cannot be emptier than empty: one that was emptied under a slower limit is rid of that limit's debt. */
  #untilFullMs(place: string | symbol, nowMs: number, { max, windowMs }: Bucket): number {
    const untilFullMs = Math.max(0, (this.#fullAtMs.get(place) ?? nowMs) - nowMs)
    if (untilFullMs <= windowMs + (windowMs / max) * rounding) return untilFullMs
    this.#fullAtMs.set(place, nowMs + windowMs)
    return windowMs
  }

  #place(key: string, nowMs: number): string | symbol {
    const { maxKeys } = this.#options
    if (this.#fullAtMs.has(key) || this.#fullAtMs.size < maxKeys) return key
    if (nowMs - this.#sweptAtMs >= sweepEveryMs) {
      this.#sweptAtMs = nowMs
      // Only a full bucket is forgotten: a throttled caller stays throttled, whatever else arrives.
      for (const [known, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(known)
    }
    return this.#fullAtMs.size < maxKeys ? key : overflow
  }
}
