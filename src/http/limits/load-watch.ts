import type { Observer } from '../../domain/observer.ts'
import { GatewayOverloaded } from '../../domain/refusals/failures.ts'
import { Loop, type Timing } from '../../domain/values/clock.ts'

export interface LoadWatchOptions {
  log: { warn(facts: object, message: string): void }
  /** Hears of each call that is refused. */
  observer?: Pick<Observer, 'shed'> | undefined
  timing?: Timing | undefined
}

const lookEveryMs = 250
/** A look that comes so late has waited behind more work than this thread can do. */
const overloadedFromMs = 1_000
const retryAfterSeconds = 2

/**
 * Watches how late this thread comes to its work. When two looks in a row are a second late, calls are refused until one is in time again:
 * they would only make all others wait longer. One pause alone, such as that of a machine that was suspended, is no load. Whoever asks
 * for room says itself that it is no stop.
 */
export class LoadWatch {
  readonly #options: LoadWatchOptions
  readonly #loop: Loop
  readonly #now: () => number
  #lookedAtMs: number
  #lateMs = 0
  #isOverloaded = false
  #refused = 0

  constructor(options: LoadWatchOptions) {
    const { timing } = options
    this.#options = options
    this.#now = timing?.now ?? (() => performance.now())
    this.#lookedAtMs = this.#now()
    const look = (): void => this.#look()
    this.#loop = new Loop({ round: look, everyMs: lookEveryMs, ...(timing !== undefined && { timing }) }).start()
  }

  /** @throws GatewayOverloaded while there is more to do than can be done */
  demandRoom(): void {
    if (!this.#isOverloaded) return
    this.#refused += 1
    this.#options.observer?.shed()
    throw new GatewayOverloaded({ retryAfterSeconds })
  }

  async close(): Promise<void> {
    await this.#loop.close()
  }

  #look(): void {
    const nowMs = this.#now()
    const lateMs = nowMs - this.#lookedAtMs - lookEveryMs
    const isOverloaded = Math.min(lateMs, this.#lateMs) >= overloadedFromMs
    this.#lookedAtMs = nowMs
    this.#lateMs = lateMs
    if (isOverloaded === this.#isOverloaded) return
    this.#isOverloaded = isOverloaded
    if (isOverloaded)
      this.#options.log.warn(
        { event: 'load_shed', late_ms: Math.round(lateMs) },
        'more comes than can be done: all but stops is refused'
      )
    else this.#options.log.warn({ event: 'load_let_in', refused: this.#refused }, 'calls are let in again')
    this.#refused = 0
  }
}
