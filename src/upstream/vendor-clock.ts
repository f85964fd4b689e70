import type { Clock } from '../domain/clock.ts'

/** Beyond this the vendor's clock was set, or ours ran at another pace. */
const steppedMs = 1_500
/** A `Date` has whole seconds. */
const secondMs = 1_000
const marginMs = 50

/**
 * The vendor's clock, from the `Date` of its answers: what the vendor dates is compared with its own clock. A `Date` has whole
 * seconds and an answer takes its time, so each one says a little less than it was; the one that says most is believed. A step needs
 * two answers that agree: one alone may be a mistake. While our clock agrees with it to the second, `earliest` is ours, which is more exact.
 */
export class VendorClock {
  readonly #clock: Clock
  #aheadMs: number | null = null
  /** An answer that contradicts those before. */
  #steppedToMs: number | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  heard(dateMs: number): void {
    const aheadMs = dateMs - this.#clock.monotonic()
    const known = this.#aheadMs
    if (known === null || isNear(aheadMs, known)) {
      this.#aheadMs = Math.max(aheadMs, known ?? aheadMs)
      this.#steppedToMs = null
    } else if (this.#steppedToMs !== null && isNear(aheadMs, this.#steppedToMs)) {
      this.#aheadMs = Math.max(aheadMs, this.#steppedToMs)
      this.#steppedToMs = null
    } else this.#steppedToMs = aheadMs
  }

  /** Epoch ms; null before the first answer. The vendor's clock is not before `earliest` and not after `latest`. */
  now(bound: 'earliest' | 'latest'): number | null {
    if (this.#aheadMs === null) return null
    const earliestMs = this.#aheadMs + this.#clock.monotonic()
    const oursMs = this.#clock.now()
    const agrees = oursMs >= earliestMs - marginMs && oursMs <= earliestMs + secondMs + marginMs
    if (bound === 'earliest') return Math.floor(agrees ? oursMs : earliestMs)
    return Math.ceil(Math.max(earliestMs + secondMs, agrees ? oursMs : 0))
  }
}

function isNear(aheadMs: number, knownMs: number): boolean {
  return Math.abs(aheadMs - knownMs) <= steppedMs
}
