/** Time comes in as an argument, so that tests decide what it is. */
export interface Clock {
  /** Epoch milliseconds: for what is written down. */
  now(): number
  /** Milliseconds that never run backwards, and are the same in all processes of one boot: for limits and durations. */
  monotonic(): number
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => Number(process.hrtime.bigint()) / 1e6 }

/** A clock that ignores being set forward from now on: for what must not be missed because it looks too old. */
export function notSetForward(clock: Clock): Clock {
  const aheadMs = clock.now() - clock.monotonic()
  return { ...clock, now: () => Math.min(clock.now(), clock.monotonic() + aheadMs) }
}

/** Waits for the answer to a question that others share, and that goes on without this one. Null when the signal comes first. */
export async function inTime<T>(answer: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const over = new AbortController()
  const { promise: ended, resolve } = Promise.withResolvers<null>()
  if (signal.aborted) resolve(null)
  signal.addEventListener('abort', () => resolve(null), { signal: over.signal })
  return Promise.race([answer, ended]).finally(() => over.abort())
}

/** Time as a loop needs it. */
export interface Timing {
  /** Milliseconds that never run backwards. */
  now(): number
  /** Calls back once after a pause, and gives back what calls it off. */
  after(pauseMs: number, callback: () => void): () => void
}

const systemTiming: Timing = {
  now: () => performance.now(),
  after(pauseMs, callback) {
    // Work in the background is no reason for a process to go on.
    const timer = setTimeout(callback, pauseMs).unref()
    return () => clearTimeout(timer)
  }
}

export interface LoopOptions {
  round(): unknown
  /** The time between the beginnings of two rounds. A longer round skips those that it overruns. Without it a round comes only when it is asked for. */
  everyMs?: number
  /** Hears why a round failed; when the next ones fail for the same reason, it hears no more. Without it the rejection is unhandled. */
  onTrouble?(error: unknown): void
  timing?: Timing
}

/** Work in the background, round after round. Rounds never overlap, and a failed one does not end the loop. */
export class Loop {
  readonly #round: () => unknown
  readonly #everyMs: number | undefined
  readonly #onTrouble: ((error: unknown) => void) | undefined
  readonly #timing: Timing
  #callOff: (() => void) | null = null
  #running: Promise<void> | null = null
  #isWantedAgain = false
  #isClosed = false
  #trouble: string | null = null

  constructor({ round, everyMs, onTrouble, timing = systemTiming }: LoopOptions) {
    this.#round = round
    this.#everyMs = everyMs
    this.#onTrouble = onTrouble
    this.#timing = timing
  }

  /** Begins to repeat. */
  start(firstAfterMs = this.#everyMs): this {
    this.wake(firstAfterMs)
    return this
  }

  /**
   * Asks for a round: at once, or behind the one under way, since that may have looked too early. With `afterMs` it comes after
   * that pause, unless a pause is running already.
   */
  wake(afterMs = 0): void {
    if (this.#isClosed) return
    if (afterMs > 0) {
      this.#callOff ??= this.#timing.after(afterMs, () => this.wake())
      return
    }
    this.#endPause()
    if (this.#running !== null) {
      this.#isWantedAgain = true
      return
    }
    const begunAtMs = this.#timing.now()
    this.#running = this.#run().finally(() => this.#next(begunAtMs))
  }

  /** Begins no other round, and waits for the one under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#endPause()
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      await this.#round()
      this.#trouble = null
    } catch (error) {
      if (this.#onTrouble === undefined) throw error
      const trouble = String(error)
      if (trouble !== this.#trouble) this.#onTrouble(error)
      this.#trouble = trouble
    }
  }

  #next(begunAtMs: number): void {
    this.#running = null
    if (this.#isWantedAgain) {
      this.#isWantedAgain = false
      this.wake()
    } else if (this.#everyMs !== undefined) {
      this.wake(this.#everyMs - ((this.#timing.now() - begunAtMs) % this.#everyMs))
    }
  }

  #endPause(): void {
    this.#callOff?.()
    this.#callOff = null
  }
}

/** A time with a name, on the monotonic clock, and the next one: a map for each of many thousand places takes ten times the room. */
export interface Moment {
  readonly name: string
  atMs: number
  readonly next: Moment | null
}

/** The time with this name; long ago when there is none. */
export function momentOf(first: Moment | null, name: string): number {
  for (let one = first; one !== null; one = one.next) if (one.name === name) return one.atMs
  return Number.NEGATIVE_INFINITY
}

/** The same moments with this one. Beyond so many, all others are forgotten. */
export function withMoment(first: Moment | null, name: string, atMs: number, most: number): Moment {
  let kept = 0
  for (let one = first; one !== null; one = one.next, kept++) {
    if (one.name !== name) continue
    one.atMs = atMs
    return first as Moment
  }
  return { name, atMs, next: kept < most ? first : null }
}
