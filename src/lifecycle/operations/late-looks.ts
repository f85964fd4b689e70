import { LRUCache } from 'lru-cache'
import type { Operation } from '../../domain/operation.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'

/** Looks at an operation, on the monotonic clock. */
interface Looks {
  /** When it was sent; after a restart when it was heard of first: then one deadline more is waited. */
  readonly sentAtMs: number
  /** So long before that it was sent, by the wall clock: of one that an earlier process has sent. */
  readonly earlierMs: number
  /** The first look that counts and has shown nothing. Forgotten at a restart: then two more. */
  nothingAtMs: number | null
}

/** Two looks so far apart that show nothing: then the operation has not come to anything. */
const looksApartMs = 5_000
const rememberedLooks = 10_000

/** Decides when an operation whose answer was lost has come to nothing: two looks agree on it, both later than the deadline. */
export class LateLooks {
  readonly #looks = new LRUCache<string, Looks>(upTo(rememberedLooks))
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>
  readonly #deadlineMs: number

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>, deadlineMs: number) {
    this.#clock = clock
    this.#deadlineMs = deadlineMs
  }

  /** An operation that has just become open. @param sentAtMs on the monotonic clock */
  note({ id }: Operation, sentAtMs: number): void {
    this.#looks.set(id, { sentAtMs, earlierMs: 0, nothingAtMs: null })
  }

  of({ id, sentAtMs }: Operation): Looks {
    const known = this.#looks.get(id)
    if (known !== undefined) return known
    const earlierMs = Math.max(0, this.#clock.now() - sentAtMs)
    const fresh = { sentAtMs: this.#clock.monotonic(), earlierMs, nothingAtMs: null }
    this.#looks.set(id, fresh)
    return fresh
  }

  /** A look has shown nothing. True when that settles it: it is forgotten then. @param lookedAtMs when the look began */
  showNothing(operation: Operation, lookedAtMs: number): boolean {
    const looks = this.of(operation)
    // It may still be under way to the vendor.
    if (lookedAtMs - looks.sentAtMs < this.#deadlineMs) return false
    looks.nothingAtMs ??= lookedAtMs
    if (lookedAtMs - looks.nothingAtMs < looksApartMs) return false
    this.forget(operation)
    return true
  }

  forget({ id }: Operation): void {
    this.#looks.delete(id)
  }

  /** When the next look can settle it, in ms. */
  settledInMs({ id }: Operation): number {
    const nowMs = this.#clock.monotonic()
    const { sentAtMs, nothingAtMs } = this.#looks.get(id) ?? { sentAtMs: nowMs, nothingAtMs: null }
    if (nothingAtMs !== null) return Math.max(0, nothingAtMs + looksApartMs - nowMs)
    return Math.max(0, sentAtMs + this.#deadlineMs - nowMs) + looksApartMs
  }
}
