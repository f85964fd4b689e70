import type { Clock } from '../../domain/values/clock.ts'

/** Share of the reads of the last ten seconds that may be sent again. */
const share = 0.1
const seconds = 10

interface Second {
  at: number
  reads: number
  retries: number
}

/** Keeps repeated reads below a tenth of all reads, so that repeating does not press a vendor that is in trouble. */
export class RetryBudget {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #ring: Second[] = Array.from({ length: seconds }, () => ({ at: -1, reads: 0, retries: 0 }))

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** A read that is sent for the first time. */
  countRead(): void {
    this.#now().reads += 1
  }

  /** True, and counted, when one more may be repeated. */
  takeRetry(): boolean {
    const now = this.#now()
    let reads = 0
    let retries = 0
    for (const second of this.#ring) {
      if (second.at <= now.at - seconds) continue
      reads += second.reads
      retries += second.retries
    }
    if (retries + 1 > reads * share) return false
    now.retries += 1
    return true
  }

  #now(): Second {
    const at = Math.floor(this.#clock.monotonic() / 1_000)
    const index = ((at % seconds) + seconds) % seconds
    const known = this.#ring[index]
    if (known?.at === at) return known
    const fresh = { at, reads: 0, retries: 0 }
    this.#ring[index] = fresh
    return fresh
  }
}
