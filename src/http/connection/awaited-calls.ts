import type { ServerResponse } from 'node:http'

/** Longest time that a call without a key, or the rest of an answered call, holds up the end of the gateway. */
export const atEndMs = 1_000

/** Calls under way that have shown a valid key: the end of the gateway waits for them. */
export class AwaitedCalls {
  readonly #answers = new Set<ServerResponse>()
  #onChange = (): void => {}

  add(answer: ServerResponse): void {
    this.#answers.add(answer)
  }

  delete(answer: ServerResponse): void {
    this.#answers.delete(answer)
  }

  /** To be called whenever there may be nothing left to wait for. */
  changed(): void {
    this.#onChange()
  }

  /** Waits until none is left, for `withinMs` at most, and a second at most until it `isQuiet` besides. */
  empty(withinMs: number, isQuiet: () => boolean): Promise<void> {
    return new Promise(resolve => {
      let waitsForQuiet = true
      const end = (): void => {
        clearTimeout(quiet)
        clearTimeout(timer)
        this.#onChange = () => {}
        resolve()
      }
      const quiet = setTimeout(() => {
        waitsForQuiet = false
        this.#onChange()
      }, atEndMs)
      const timer = setTimeout(end, withinMs)
      this.#onChange = () => {
        if (this.#answers.size === 0 && (!waitsForQuiet || isQuiet())) end()
      }
      this.#onChange()
    })
  }
}
