/** Watches over writes that must stand within a time, and counts those that still don't. */
export class OverdueWrites {
  readonly #withinMs: number
  #late = 0

  constructor(withinMs: number) {
    this.#withinMs = withinMs
  }

  /** How many are being written for longer than they may take: the store hangs. */
  get late(): number {
    return this.#late
  }

  /** False when the promise is kept in time, true when it is late; it rejects as the promise does. */
  async isLate(written: Promise<unknown>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<true>(resolve => {
      // After a pause of this thread the answer may lie there unread: it has its turn before the verdict.
      timer = setTimeout(() => setImmediate(() => resolve(true)), this.#withinMs)
    })
    try {
      const isLate = await Promise.race([written.then(() => false), tooLate])
      if (isLate) this.#count(written)
      return isLate
    } finally {
      clearTimeout(timer)
    }
  }

  async #count(written: Promise<unknown>): Promise<void> {
    this.#late += 1
    await written.catch(() => {})
    this.#late -= 1
  }
}
