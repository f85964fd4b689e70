/** A call whose turn in its meeting has come. */
export interface Turn {
  /** It had to wait: permissions and the meeting may have changed since. */
  waited: boolean
}

/** The turn of a start or a stop. It must be taken at once: until the attempt has ended nothing else of the meeting goes on. */
export interface LeadingTurn<T> extends Turn {
  /** Makes the attempt the answer of all who join, and ends the turn with it. */
  take(attempt: Promise<T>): Promise<T>
}

/** The answer of another call's attempt, which this call has waited for. */
export interface Joined<T> {
  joined: T
}

interface Waiting<T> {
  mayLead(error: unknown): boolean
  resolve(how: LeadingTurn<T> | Joined<T>): void
  reject(error: unknown): void
}

/**
 * One place in a queue, for calls that share an attempt. The first call leads. When its attempt says nothing of the others, the
 * next of them leads, still in this place: it came before whatever waits behind.
 */
export class SharedTurn<T> {
  /** Never rejects. */
  readonly ended: Promise<void>
  readonly #end: () => void
  readonly #waiting: Waiting<T>[] = []

  /** @param onEnd called at once when the last attempt has ended: nobody may join any more */
  constructor(onEnd: () => void) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = () => {
      onEnd()
      resolve()
    }
  }

  /** How many wait for the answer. */
  get waiting(): number {
    return this.#waiting.length
  }

  lead(waited: boolean): LeadingTurn<T> {
    const take = (attempt: Promise<T>): Promise<T> => {
      attempt.then(
        answer => this.#answer(answer),
        error => this.#pass(error)
      )
      return attempt
    }
    return { waited, take }
  }

  /** @param mayLead whether this call leads next after an attempt that has thrown this. @throws what the attempt has thrown */
  join(mayLead: (error: unknown) => boolean): Promise<LeadingTurn<T> | Joined<T>> {
    const { promise, resolve, reject } = Promise.withResolvers<LeadingTurn<T> | Joined<T>>()
    this.#waiting.push({ mayLead, resolve, reject })
    return promise
  }

  #answer(joined: T): void {
    this.#end()
    for (const { resolve } of this.#waiting.splice(0)) resolve({ joined })
  }

  #pass(error: unknown): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.mayLead(error)) {
        next.resolve(this.lead(true))
        return
      }
      next.reject(error)
    }
    this.#end()
  }
}
