import type { IncomingHttpHeaders } from 'node:http'
import { parseList } from 'structured-headers'

/** Rest of the quota, as the vendor says. */
export interface VendorLimit {
  /** Calls. */
  remaining: number
  /** Until there is more. */
  resetMs: number
  /** The whole quota, as `Ratelimit-Policy` says; null when it doesn't. */
  quota: number | null
}

/**
 * The vendor's `Ratelimit` field, e.g. `"default";r=50;t=30` (contract#ratelimit-fields); of several the one with the longest
 * time, since a limit of a second says nothing about a quota. Null when there is none, or none that can be read: a malformed field is no reason to trust or distrust anything.
 */
export function readVendorLimit({ ratelimit, 'ratelimit-policy': policy }: IncomingHttpHeaders): VendorLimit | null {
  if (typeof ratelimit !== 'string') return null
  const policies = typeof policy === 'string' ? list(policy) : []
  const limits: VendorLimit[] = []
  for (const [name, parameters] of list(ratelimit)) {
    const remaining = parameters.get('r')
    const seconds = parameters.get('t')
    if (!isCount(remaining) || !isCount(seconds)) continue
    // The vendor's own example has one policy, by another name than its limit.
    const [only, ...others] = policies
    const [, said] = policies.find(([other]) => other === name) ?? (others.length === 0 ? (only ?? []) : [])
    const quota = said?.get('q')
    limits.push({ remaining, resetMs: seconds * 1_000, quota: isCount(quota) && quota >= remaining ? quota : null })
  }
  return limits.sort((a, b) => b.resetMs - a.resetMs || a.remaining - b.remaining)[0] ?? null
}

/** True when the vendor's edge, and not what is behind it, has refused the call as one too many. */
export function isThrottled(status: number, headers: IncomingHttpHeaders): boolean {
  return status === 429 || (status >= 400 && headers['x-envoy-ratelimited'] === 'true')
}

/** Seconds; a missing or strange value counts as 5, since an unbounded one would lock callers out. */
export function readRetryAfter({ 'retry-after': text }: IncomingHttpHeaders): number {
  const seconds = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 5
  return Math.min(Math.max(seconds, 1), 3_600)
}

function list(field: string): ReturnType<typeof parseList> {
  try {
    return parseList(field)
  } catch {
    return []
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0
}

/** After a 429 reads believe in half of the quota, and in a tenth more after each window without another. */
const recoveryPerWindow = 0.1
const leastFactor = 0.05

/** The vendor's pause after it has refused a call as one too many, and the part of the quota that is believed in since. */
export class VendorPause {
  readonly #windowMs: number
  #untilMs = Number.NEGATIVE_INFINITY
  #loweredTo = 1
  #loweredAtMs = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  begin(retryAfterMs: number, nowMs: number): void {
    const factor = this.factor(nowMs)
    // Calls that were under way together are refused together: that is one lesson.
    if (this.#untilMs <= nowMs) {
      this.#loweredTo = Math.max(leastFactor, factor / 2)
      this.#loweredAtMs = nowMs + retryAfterMs
    }
    this.#untilMs = Math.max(this.#untilMs, nowMs + retryAfterMs)
  }

  end(): void {
    this.#untilMs = Number.NEGATIVE_INFINITY
  }

  /** The rest of the pause, in ms; 0 when there is none. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs)
  }

  /** The part of the quota that reads may believe in, up to 1. */
  factor(nowMs: number): number {
    const windows = Math.max(0, nowMs - this.#loweredAtMs) / this.#windowMs
    return Math.min(1, this.#loweredTo + windows * recoveryPerWindow)
  }
}
