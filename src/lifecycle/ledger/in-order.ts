/** Work on one thing goes one after the other, in the order in which it came; work that fails holds up nothing. */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>()

  /** @throws what the work throws */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const turn = before.then(work, work)
    this.#last.set(key, turn)
    try {
      return await turn
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key)
    }
  }

  /** Ends when what is under way, or waits, has ended. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }
}
