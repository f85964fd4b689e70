import { setImmediate as turn } from 'node:timers/promises'
import type { CompiledQuery } from 'kysely'
import { identityOf } from '../served/store-place.ts'
import { type Engine, type Row, StoreError, threadTimeMs } from './engine.ts'
import { type ConnectionOptions, type JobResult, type Transaction, toStoreError } from './sqlite-connection.ts'
import { cannotOpen, makeFile } from './sqlite-file.ts'
import { SqliteThread } from './sqlite-thread.ts'

/** Times for which this process waits. */
export interface Waits extends Pick<ConnectionOptions, 'busyTimeoutMs'> {
  /** A store that doesn't answer in this time counts as broken: calls that wait for it, a stop among them, go on without it. */
  readWithinMs?: number
}

const scanWithinMs = 10_000

/**
 * SQLite in worker threads, one that writes and two that only read, so that a slow disk holds neither the event loop
 * nor a cache miss.
 * @throws StoreError when the file cannot be opened or made
 */
export async function openSqlite(file: string, { readWithinMs = 2_000, ...waits }: Waits = {}): Promise<Engine> {
  const isNew = await makeFile(file)
  const options = { ...waits, file, identity: identityOf(file) ?? undefined }
  const writer = new SqliteThread({ ...options, readonly: false })
  const reader = new SqliteThread({ ...options, readonly: true })
  const scanner = new SqliteThread({ ...options, readonly: true })
  const threads = [scanner, reader, writer]
  const group = new GroupCommit(transactions => writer.run({ write: transactions }))
  // The scanner's thread starts with the first list.
  const nothing = { read: { sql: 'select 1', parameters: [] } }
  try {
    // A new file becomes a WAL database first: meanwhile it is locked, and a reader would be refused.
    if (isNew) await writer.run(nothing)
    await Promise.all([writer.run(nothing), reader.run(nothing)])
  } catch (error) {
    await Promise.all(threads.map(thread => thread.close()))
    throw cannotOpen(file, error)
  }

  return {
    dialect: 'sqlite',
    read: query => ask(reader, query, readWithinMs),
    scan: query => ask(scanner, query, scanWithinMs),
    write(statements, { withinMs } = {}) {
      const plain = statements.map(({ sql, parameters, changes }) => ({ sql, parameters, changes }))
      // A moment and not a span: what waits for its turn grows old too.
      const expiresAtMs = withinMs === undefined ? undefined : threadTimeMs() + withinMs
      return group.run({ statements: plain, expiresAtMs })
    },
    async check() {
      rowsOf((await reader.run({ check: true }, readWithinMs))[0] as JobResult)
    },
    async fold() {
      await writer.run({ fold: true })
    },
    async close() {
      await group.idle()
      for (const thread of threads) await thread.close()
    }
  }
}

async function ask<R>(thread: SqliteThread, { sql, parameters }: CompiledQuery<R>, withinMs: number): Promise<R[]> {
  const [result] = await thread.run({ read: { sql, parameters } }, withinMs)
  return rowsOf(result as JobResult)
}

function rowsOf<R>(result: JobResult): R[] {
  if ('error' in result) throw toStoreError(result.error)
  return result.rows[0] as R[]
}

/** Largest number of transactions that share a commit, so that nobody waits for a crowd. */
const maxGroup = 256
/** A disk that hangs must not fill the memory: a write that comes after so many is refused at once. */
const maxWaiting = 10_000

interface Waiting {
  transaction: Transaction
  resolve(rows: Row[][]): void
  reject(error: unknown): void
}

/** Transactions that come while a group is being written wait, and are written together as the next one. */
export class GroupCommit {
  readonly #write: (group: Transaction[]) => Promise<JobResult[]>
  #waiting: Waiting[] = []
  #running: Promise<void> | null = null

  /** @param write gives one result for each transaction of the group, or rejects for all of them */
  constructor(write: (group: Transaction[]) => Promise<JobResult[]>) {
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
      const group = this.#waiting.splice(0, maxGroup)
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
