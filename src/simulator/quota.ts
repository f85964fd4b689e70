import type { Answer } from './answers.ts'

/** The vendor's own limit: so many calls in any window, and whoever exceeds it hears nothing but 429 for a while. */
export interface QuotaRule {
  calls: number
  windowMs: number
  /** How long everything is refused after a call too many (contract section 6: five minutes at Cloudflare). 0: only that call. */
  lockOutMs: number
}

/** `12/3` or `12/3,3`: calls, seconds and, if there is one, the seconds of the lock-out. Undefined when it is something else. */
export function readQuota(text: string): QuotaRule | undefined {
  const [, calls, seconds, lockOut = '0'] = /^([1-9]\d{0,6})\/([1-9]\d{0,4})(?:,(\d{1,4}))?$/.exec(text) ?? []
  if (calls === undefined) return undefined
  return { calls: Number(calls), windowMs: Number(seconds) * 1_000, lockOutMs: Number(lockOut) * 1_000 }
}

/** Counts every request of the account, however it is answered. */
export class VendorQuota {
  readonly #rule: QuotaRule
  readonly #times: number[] = []
  #lockedUntilMs = Number.NEGATIVE_INFINITY

  constructor(rule: QuotaRule) {
    this.#rule = rule
  }

  /** The 429 of a request that is one too many, as the vendor's edge sends it: without a body. */
  refusal(nowMs: number): Answer | undefined {
    const { calls, windowMs, lockOutMs } = this.#rule
    if (nowMs < this.#lockedUntilMs) return tooMany(this.#lockedUntilMs - nowMs)
    while ((this.#times[0] ?? nowMs) <= nowMs - windowMs) this.#times.shift()
    this.#times.push(nowMs)
    if (this.#times.length <= calls) return undefined
    this.#lockedUntilMs = nowMs + lockOutMs
    return tooMany(Math.max(lockOutMs, (this.#times[0] ?? nowMs) + windowMs - nowMs))
  }
}

function tooMany(waitMs: number): Answer {
  const headers = { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1_000))), 'x-envoy-ratelimited': 'true' }
  return { status: 429, headers }
}
