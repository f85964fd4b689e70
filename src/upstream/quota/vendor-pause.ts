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
