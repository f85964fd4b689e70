import type { Clock } from '../domain/clock.ts'

/** Beyond this the vendor's clock was set, or ours ran at another pace. */
const steppedMs = 1_500
/** A `Date` has whole seconds. */
const secondMs = 1_000
const marginMs = 50

/**
 * The vendor's clock, from the `Date` of its answers: what the vendor dates is compared with its own clock. A `Date` has whole
 * seconds and an answer takes its time, so each one says a little less than it was; the one that says most is believed. While our
 * clock agrees with it to the second ours is taken, which is more exact.
 */
export class VendorClock {
  readonly #clock: Clock
  #aheadMs: number | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  heard(dateMs: number): void {
    const aheadMs = dateMs - this.#clock.monotonic()
    const known = this.#aheadMs
    if (known === null || aheadMs > known || known - aheadMs > steppedMs) this.#aheadMs = aheadMs
  }

  /** Epoch ms; null before the first answer. */
  now(bound: 'earliest' | 'latest'): number | null {
    if (this.#aheadMs === null) return null
    const earliestMs = this.#aheadMs + this.#clock.monotonic()
    const oursMs = this.#clock.now()
    if (oursMs >= earliestMs - marginMs && oursMs <= earliestMs + secondMs + marginMs) return oursMs
    return Math.floor(bound === 'earliest' ? earliestMs : earliestMs + secondMs)
  }
}
