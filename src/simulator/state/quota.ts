/** The vendor's own limit: so many calls in any window, and whoever exceeds it hears nothing but 429 for a while. */
export interface QuotaRule {
  calls: number
  windowMs: number
  /** Time in which everything is refused after a call too many (contract#cloudflare-quota: five minutes). 0: only that call. */
  lockOutMs: number
}

/** `12/3` or `12/3,3`: calls, seconds and, if there is one, the seconds of the lock-out. Undefined when it is something else. */
export function readQuota(text: string): QuotaRule | undefined {
  const [, calls, seconds, lockOut = '0'] = /^([1-9]\d{0,6})\/([1-9]\d{0,4})(?:,(\d{1,4}))?$/.exec(text) ?? []
  if (calls === undefined) return undefined
  return { calls: Number(calls), windowMs: Number(seconds) * 1_000, lockOutMs: Number(lockOut) * 1_000 }
}

/** The quota as one request found it. */
export interface Allowance {
  quota: QuotaRule
  /** The request itself is one too many. */
  refused: boolean
  /** Calls that may follow now. */
  left: number
  /** Until there is more. */
  resetMs: number
}

/** Counts every request of the account, however it is answered. */
export class VendorQuota {
  readonly #rule: QuotaRule
  readonly #times: number[] = []
  #lockedUntilMs = Number.NEGATIVE_INFINITY

  constructor(rule: QuotaRule) {
    this.#rule = rule
  }

  take(nowMs: number): Allowance {
    const { calls, windowMs, lockOutMs } = this.#rule
    const refused = (resetMs: number): Allowance => ({ quota: this.#rule, refused: true, left: 0, resetMs })
    if (nowMs < this.#lockedUntilMs) return refused(this.#lockedUntilMs - nowMs)
    while ((this.#times[0] ?? nowMs) <= nowMs - windowMs) this.#times.shift()
    this.#times.push(nowMs)
    const resetMs = (this.#times[0] ?? nowMs) + windowMs - nowMs
    const left = calls - this.#times.length
    if (left >= 0) return { quota: this.#rule, refused: false, left, resetMs }
    this.#lockedUntilMs = nowMs + lockOutMs
    return refused(Math.max(lockOutMs, resetMs))
  }
}

/** Value of `retry-after`: whole seconds, rounded up, and never none. */
export function retryAfterSeconds({ resetMs }: Allowance): number {
  return Math.max(1, Math.ceil(resetMs / 1_000))
}
