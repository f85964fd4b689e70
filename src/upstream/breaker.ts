import type { Clock } from '../domain/clock.ts'
import { UpstreamUnavailable } from '../domain/failures.ts'

export interface BreakerOptions {
  clock: Pick<Clock, 'monotonic'>
  /** From 0 to 1: so that replicas don't probe in step. */
  random?: () => number
}

/** So many failures in a row, with no success between them, open it. */
const failuresInARow = 5
const shortestMs = 1_000
const longestMs = 30_000

/**
 * Stops asking a vendor that fails: while it is open calls are answered at once, and one of them after each interval is let
 * through as a probe. The interval doubles while probes fail. Who must be let through (a stop) is a probe at any time.
 */
export class Breaker {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #random: () => number
  #failures = 0
  /** 0: closed. */
  #intervalMs = 0
  #probeAtMs = 0

  constructor({ clock, random = Math.random }: BreakerOptions) {
    this.#clock = clock
    this.#random = random
  }

  get isOpen(): boolean {
    return this.#intervalMs > 0
  }

  /** Until the next probe, in ms; 0 when calls are let through. */
  get opensInMs(): number {
    return this.isOpen ? Math.max(0, this.#probeAtMs - this.#clock.monotonic()) : 0
  }

  /** @throws UpstreamUnavailable when nothing is to be sent now */
  enter(): void {
    if (!this.isOpen) return
    const waitMs = this.opensInMs
    if (waitMs > 0) {
      throw new UpstreamUnavailable({ retryAfterSeconds: Math.ceil(waitMs / 1_000) })
    }
    // This one is the probe; if nothing is heard of it the next one comes an interval later.
    this.#wait()
  }

  /** The vendor has answered, whatever it said. */
  succeeded(): void {
    this.#failures = 0
    this.#intervalMs = 0
  }

  /** @param probing false for a call that would have gone out anyway: it says nothing about the pace of probes */
  failed(probing: boolean): void {
    this.#failures += 1
    if (this.isOpen) {
      if (!probing) return
      this.#intervalMs = Math.min(this.#intervalMs * 2, longestMs)
    } else if (this.#failures >= failuresInARow) {
      this.#intervalMs = shortestMs
    } else return
    this.#wait()
  }

  /** Never shorter than the interval, and at most a second longer. */
  #wait(): void {
    const jitterMs = this.#random() * Math.min(this.#intervalMs / 5, 1_000)
    this.#probeAtMs = this.#clock.monotonic() + this.#intervalMs + jitterMs
  }
}
