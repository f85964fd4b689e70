import type { RunNews } from '../../domain/runs/run.ts'
import { Loop } from '../../domain/values/clock.ts'

export interface LateNewsOptions {
  /** Writes it; rejects when the store does not take it. */
  write(news: RunNews): Promise<void>
  /** The meeting, or the livestream, that it is about: there news keeps its order. */
  placeOf(news: RunNews): string
  retryAfterMs?: number | undefined
}

/** So much waits in memory. Beyond that a restart finds out (`runs-at-start.ts`). */
const most = 10_000
const retriedAfterMs = 500
/** A store that is away is not tried once for each of them. */
const mostFailures = 8

/** News of our own starts and stops that the store has refused: it waits in memory, and is written as soon as it can be. */
export class LateNews {
  readonly waiting: RunNews[] = []
  readonly #options: LateNewsOptions
  readonly #loop = new Loop({ round: () => this.#writeAll() })

  constructor(options: LateNewsOptions) {
    this.#options = options
  }

  add(news: RunNews): void {
    if (this.waiting.length < most) this.waiting.push(news)
    this.#loop.wake(this.#options.retryAfterMs ?? retriedAfterMs)
  }

  /** Whether something of the same place waits: a stop that is written before its start would find nothing to end. */
  isAhead(news: RunNews): boolean {
    const { placeOf } = this.#options
    return this.waiting.some(late => placeOf(late) === placeOf(news))
  }

  /** Tries a last time, and no more by itself. */
  async close(): Promise<void> {
    await this.#loop.close()
    await this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    const { write, placeOf } = this.#options
    const failed = new Set<string>()
    for (const news of [...this.waiting]) {
      if (failed.has(placeOf(news))) continue
      try {
        await write(news)
        this.waiting.splice(this.waiting.indexOf(news), 1)
      } catch {
        failed.add(placeOf(news))
        if (failed.size === mostFailures) break
      }
    }
    if (failed.size > 0) this.#loop.wake(this.#options.retryAfterMs ?? retriedAfterMs)
  }
}
