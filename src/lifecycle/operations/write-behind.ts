import { Loop } from '../../domain/values/clock.ts'
import {
  Conflict,
  type Engine,
  Expired,
  type Row,
  type Statement,
  UniqueViolation,
  type WriteOptions
} from '../../store/engine/engine.ts'

export interface WriteBehindOptions {
  engine: Pick<Engine, 'write'>
  onTrouble(error: unknown, waiting: number): void
  retryAfterMs?: number
}

/** So many transactions wait in memory; those beyond are in the log alone. */
const maxWaiting = 10_000

/**
 * Transactions that could not be written yet, in order, tried again until the store takes them. The outcome of a mutation
 * comes here, with its operation and its rows, so that a store that was away for a moment forgets nothing.
 */
export class WriteBehind {
  readonly #options: Required<WriteBehindOptions>
  readonly #waiting: { statements: Statement[]; onWritten(): void }[] = []
  readonly #late = new Set<Promise<unknown>>()
  readonly #loop = new Loop({ round: () => this.#retry() })
  #writing: Promise<void> | null = null

  constructor(options: WriteBehindOptions) {
    this.#options = { retryAfterMs: 500, ...options }
  }

  /** How many transactions wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** @param statements one transaction; the audit event is its last. `onWritten` is told when the store has that. */
  add(statements: Statement[], onWritten = (): void => {}): void {
    if (this.#waiting.length < maxWaiting) this.#waiting.push({ statements, onWritten })
    this.#loop.wake(this.#options.retryAfterMs)
  }

  /**
   * Writes what waits. Rejects when the store fails; nothing is lost by that. Calls share the attempt that is under way, so that
   * a store that is away for long is not tried once for each of them.
   */
  async flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#writing ??= this.#writeAll().finally(() => {
        this.#writing = null
      })
      await this.#writing
    }
  }

  /** Ends when all that is older is in the store. Rejects when the store can't be written. */
  async caughtUp(): Promise<void> {
    if (this.#late.size > 0) await Promise.all(this.#late)
    await this.flush()
  }

  /** Takes note of a write that takes longer than it should. A write that fails after that comes here too. */
  behind(written: Promise<unknown>): void {
    const ended = written.catch(() => {}).finally(() => this.#late.delete(ended))
    this.#late.add(ended)
  }

  /**
   * Writes into the store once everything older is there, since the order of operations is that in which they are written
   * (`operations.ts`). A start that overtook a stop which still waits here would be ended by its repetition.
   * @throws Expired, and what the store throws, also when what is older can't be written
   */
  async write(statements: Statement[], { withinMs }: WriteOptions = {}): Promise<Row[][]> {
    const begunAtMs = performance.now()
    await this.caughtUp()
    if (withinMs === undefined) return this.#options.engine.write(statements)
    const leftMs = withinMs - (performance.now() - begunAtMs)
    if (leftMs <= 0) throw new Expired('what is older took too long')
    return this.#options.engine.write(statements, { withinMs: leftMs })
  }

  /** Tries a last time, and no more by itself. */
  async close(): Promise<void> {
    // The last try shares the one that is under way.
    void this.#loop.close()
    await this.flush().catch(error => this.#options.onTrouble(error, this.#waiting.length))
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { statements, onWritten } = next
      await this.#options.engine.write(statements).catch(error => {
        // A transaction that contradicts the store will never fit: then its event at least is on record.
        const fits = !(error instanceof UniqueViolation || error instanceof Conflict)
        const event = statements.slice(-1)
        if (fits || statements.length === 1) throw error
        return this.#options.engine.write(event)
      })
      this.#waiting.shift()
      onWritten()
    }
  }

  /** Tells of trouble each time, since the number of those that wait grows. */
  async #retry(): Promise<void> {
    await this.flush().catch(error => {
      this.#options.onTrouble(error, this.#waiting.length)
      this.#loop.wake(this.#options.retryAfterMs)
    })
  }
}
