import type { Clock } from '../domain/clock.ts'

/** Beyond this the vendor's clock was set, or ours ran at another pace. */
const steppedMs = 1_500

/**
 * The vendor's clock, from the `Date` of its answers: what the vendor dates is compared with its own clock and never with ours.
 * A `Date` has whole seconds and an answer takes its time, so each one says a little less than it was; the one that says most is believed.
 */
export class VendorClock {
  readonly #clock: Pick<Clock, 'monotonic'>
  #aheadMs: number | null = null

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  heard(dateMs: number): void {
    const aheadMs = dateMs - this.#clock.monotonic()
    const known = this.#aheadMs
    if (known === null || aheadMs > known || known - aheadMs > steppedMs) this.#aheadMs = aheadMs
  }

  /** Epoch ms; null before the first answer. */
  now(): number | null {
    return this.#aheadMs === null ? null : this.#aheadMs + this.#clock.monotonic()
  }
}
