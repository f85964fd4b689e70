import { seedOf } from '../runner/seeds.ts'

/** A machine with much else to do may take so long for what normally takes half a minute. */
export const slowestMs = 300_000

/** Choices that depend on the seed and on their name alone: what else is under way has no say in them. */
export class Dice {
  #state: number

  constructor(name: string) {
    this.#state = seedOf('campaigns', name)
  }

  /** From 0 up to 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  /** A whole number, both ends included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  pick<T>(some: readonly T[]): T {
    return some[this.between(0, some.length - 1)] as T
  }
}
