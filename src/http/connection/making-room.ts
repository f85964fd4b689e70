import type { Socket } from 'node:net'

/** A connection that began to be idle or in use so recently makes room after those that are in use: its first call may be on its way. */
const freshMs = 1_000

/** A connection that may make room for another. */
export interface Candidate {
  readonly socket: Socket
  /** Whether it has carried a valid key, or comes from a trusted proxy. */
  isKnown: boolean
  isIdle: boolean
  /** Since when it is idle; of one in use, when its last call ended. */
  sinceMs: number
}

/** Connections in the order in which they make room: each list has the longest idle, or the longest in use, first. */
export class Candidates<Connection extends Candidate = Candidate> {
  readonly idleStrangers = new Set<Connection>()
  readonly #idleKnown = new Set<Connection>()
  readonly #busyStrangers = new Set<Connection>()
  readonly #busyKnown = new Set<Connection>()

  add(connection: Connection): void {
    this.#listOf(connection).add(connection)
  }

  /** To be called before the connection changes. */
  remove(connection: Connection): void {
    this.#listOf(connection).delete(connection)
  }

  get strangers(): number {
    return this.idleStrangers.size + this.#busyStrangers.size
  }

  get size(): number {
    return this.strangers + this.#idleKnown.size + this.#busyKnown.size
  }

  *busy(): Iterable<Connection> {
    yield* this.#busyStrangers
    yield* this.#busyKnown
  }

  /** The one to close: strangers before those who are known, and of these only who is idle. Null when all are known and in use. */
  next(nowMs: number): Connection | null {
    const [idle] = this.idleStrangers
    const [busy] = this.#busyStrangers
    const [known] = this.#idleKnown
    if (idle !== undefined && nowMs - idle.sinceMs >= freshMs) return idle
    return busy ?? idle ?? known ?? null
  }

  #listOf({ isKnown, isIdle }: Connection): Set<Connection> {
    if (isIdle) return isKnown ? this.#idleKnown : this.idleStrangers
    return isKnown ? this.#busyKnown : this.#busyStrangers
  }
}
