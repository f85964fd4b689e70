import { LRUCache } from 'lru-cache'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'

/** So many keys are remembered. */
const maxRemembered = 10_000

/** Counts by key that wear off evenly, by `perMinute` each minute. */
export class WearingOff {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #counts = new LRUCache<string, { count: number; atMs: number }>(upTo(maxRemembered))

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  count(key: string, perMinute: number): number {
    const { count, atMs } = this.#counts.get(key) ?? { count: 0, atMs: 0 }
    return Math.max(0, count - ((this.#clock.monotonic() - atMs) / 60_000) * perMinute)
  }

  add(key: string, by: number, perMinute: number): void {
    this.#counts.set(key, { count: this.count(key, perMinute) + by, atMs: this.#clock.monotonic() })
  }
}
