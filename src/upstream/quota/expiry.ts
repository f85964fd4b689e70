/** Things that end, added in the order of their ends. */
export class Expiry<T extends { untilMs: number }> {
  #items: T[] = []
  #first = 0

  add(item: T): void {
    this.#items.push(item)
  }

  at(index: number): T | undefined {
    return this.#items[this.#first + index]
  }

  items(): T[] {
    return this.#items.slice(this.#first)
  }

  /** Takes out what has ended before that time. */
  until(timeMs: number): T[] {
    const from = this.#first
    while ((this.#items[this.#first]?.untilMs ?? Number.POSITIVE_INFINITY) < timeMs) this.#first += 1
    const over = this.#items.slice(from, this.#first)
    if (this.#first > 1_000 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return over
  }
}
