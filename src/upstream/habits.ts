import type { Clock } from '../domain/clock.ts'
import type { VendorHabits } from './provider.ts'

/** So many times it must have failed so, and for so long it is remembered. */
const failuresToBelieve = 3
const believedForMs = 3_600_000

/** What one account has shown of its ways. */
export class Habits implements VendorHabits {
  readonly #clock: Pick<Clock, 'monotonic'>
  #refusesSecondStart: boolean
  #failures = 0
  #failedAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Pick<Clock, 'monotonic'>, refusesSecondStart = false) {
    this.#clock = clock
    this.#refusesSecondStart = refusesSecondStart
  }

  get refusesSecondStart(): boolean {
    return this.#refusesSecondStart
  }

  noteSecondStartRefused(): void {
    this.#refusesSecondStart = true
  }

  get failsWhenNothingIsLive(): boolean {
    if (this.#clock.monotonic() - this.#failedAtMs >= believedForMs) this.#failures = 0
    return this.#failures >= failuresToBelieve
  }

  noteFailedWhenNothingWasLive(): void {
    this.#failures += 1
    this.#failedAtMs = this.#clock.monotonic()
  }
}
