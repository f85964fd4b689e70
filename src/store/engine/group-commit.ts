import { setImmediate as turn } from 'node:timers/promises'
import { type Row, StoreError } from './engine.ts'
import { type JobResult, type Transaction, toStoreError } from './transaction.ts'

/** Largest number of transactions that share a commit, so that nobody waits for a crowd. */
const usualMaxGroup = 256
/** A disk that hangs must not fill the memory: a write that comes after so many is refused at once. */
const maxWaiting = 10_000

interface Waiting {
  transaction: Transaction
  resolve(rows: Row[][]): void
  reject(error: unknown): void
}

/** Transactions that come while a group is being written wait, and are written together as the next one. */
export class GroupCommit {
  readonly #maxGroup: number
  readonly #write: (group: Transaction[]) => Promise<JobResult[]>
  #waiting: Waiting[] = []
  #running: Promise<void> | null = null

  /** @param write gives one result for each transaction of the group, or rejects for all of them */
  constructor(write: (group: Transaction[]) => Promise<JobResult[]>, maxGroup = usualMaxGroup) {
    this.#maxGroup = maxGroup
    this.#write = write
  }

  /** Rejects with a StoreError when it can't be written, or when too many wait already. */
  run(transaction: Transaction): Promise<Row[][]> {
    if (this.#waiting.length >= maxWaiting) return Promise.reject(new StoreError('the store is too slow'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ transaction, resolve, reject })
      this.#running ??= this.#writeAll()
    })
  }

  /** Waits until nothing waits. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #writeAll(): Promise<void> {
    // Transactions of one turn of the event loop go together from the start, also when each came over a connection of its own.
    await turn()
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, this.#maxGroup)
      try {
        const results = await this.#write(group.map(({ transaction }) => transaction))
        group.forEach(({ resolve, reject }, i) => {
          const result = results[i] as JobResult
          if ('error' in result) reject(toStoreError(result.error))
          else resolve(result.rows)
        })
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#running = null
  }
}
