import type { Clock } from '../../domain/values/clock.ts'

/** Difference from which on the vendor's clock was set, or ours ran at another pace. */
const steppedMs = 1_500
/** A `Date` has whole seconds. */
const secondMs = 1_000
const marginMs = 50

/**
 * The vendor's clock, from the `Date` of its answers: what the vendor dates is compared with its own clock. A `Date` has whole
 * seconds and an answer takes its time, so each one says a little less than it was; the one that says most is believed. A step needs
 * two answers that agree: one alone may be a mistake. Those that step it back must follow each other, since
 * what comes from a cache is old, and never new. While our clock agrees with it to the second, `earliest` is ours, which is more exact.
 */
export class VendorClock {
  readonly #clock: Clock
  #aheadMs: number | null = null
  /** Answers that contradict those before, one to either side. */
  #once: { later: number | null; earlier: number | null } = { later: null, earlier: null }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  heard(dateMs: number): void {
    const aheadMs = dateMs - this.#clock.monotonic()
    const known = this.#aheadMs
    if (known === null || isNear(aheadMs, known)) {
      this.#aheadMs = Math.max(aheadMs, known ?? aheadMs)
      this.#once.earlier = null
      return
    }
    const side = aheadMs > known ? 'later' : 'earlier'
    const before = this.#once[side]
    if (before !== null && isNear(aheadMs, before)) {
      this.#aheadMs = Math.max(aheadMs, before)
      this.#once = { later: null, earlier: null }
    } else this.#once[side] = aheadMs
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
