import { Worker } from 'node:worker_threads'
import type { CompiledQuery } from 'kysely'
import { type Engine, type Row, type Statement, StoreError, type WriteOptions } from './engine.ts'
import { type ConnectionOptions, type Job, type JobResult, toStoreError } from './sqlite-connection.ts'
import { makeFile } from './sqlite-file.ts'

/**
 * SQLite in worker threads, one that writes and two that only read, so that a slow disk holds neither the event loop
 * nor a cache miss.
 * @throws StoreError when the file cannot be opened or made
 */
export async function openSqlite(file: string, { readWithinMs = 2_000, ...waits }: Waits = {}): Promise<Engine> {
  const isNew = await makeFile(file)
  const writer = new SqliteThread({ ...waits, file, readonly: false })
  const reader = new SqliteThread({ ...waits, file, readonly: true }, readWithinMs)
  const scanner = new SqliteThread({ ...waits, file, readonly: true }, scanWithinMs)
  const threads = [scanner, reader, writer]
  // The scanner's thread starts with the first list.
  const nothing = { statements: [{ sql: 'select 1', parameters: [] }], transaction: false }
  try {
    // A new file becomes a WAL database first: meanwhile it is locked, and a reader would be refused.
    if (isNew) await writer.run(nothing)
    await Promise.all([writer.run(nothing), reader.run(nothing)])
  } catch (error) {
    await Promise.all(threads.map(thread => thread.close()))
    throw error
  }

  return {
    dialect: 'sqlite',
    read: query => reader.ask(query),
    scan: query => scanner.ask(query),
    write(statements: Statement[], { withinMs }: WriteOptions = {}): Promise<Row[][]> {
      const plain = statements.map(({ sql, parameters, changes }) => ({ sql, parameters, changes }))
      // A moment and not a span: what waits in the thread's queue grows old too.
      const expiresAtMs = withinMs === undefined ? undefined : Date.now() + withinMs
      return writer.run({ statements: plain, transaction: true, expiresAtMs })
    },
    async close() {
      for (const thread of threads) await thread.close()
    }
  }
}

/** How long this process is patient. */
export interface Waits extends Pick<ConnectionOptions, 'busyTimeoutMs'> {
  /** What doesn't answer in this time counts as broken: calls that wait for it, a stop among them, go on without it. */
  readWithinMs?: number
}

const scanWithinMs = 10_000

interface Waiting {
  resolve(rows: Row[][]): void
  reject(error: StoreError): void
}

/** The main thread's end of one worker. A worker that dies rejects what it owed; the next call starts another. */
class SqliteThread {
  readonly #options: ConnectionOptions
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | null = null
  #closed = false
  #nextId = 0

  readonly #withinMs: number | undefined

  /** @param withinMs how long an answer to `ask` may take */
  constructor(options: ConnectionOptions, withinMs?: number) {
    this.#options = options
    this.#withinMs = withinMs
  }

  async ask<R>({ sql, parameters }: CompiledQuery<R>): Promise<R[]> {
    const [rows] = await this.run({ statements: [{ sql, parameters }], transaction: false }, this.#withinMs)
    return (rows ?? []) as R[]
  }

  run(job: Job, withinMs?: number): Promise<Row[][]> {
    // Nobody would end a thread that is started now.
    if (this.#closed) return Promise.reject(new StoreError('the store is closed'))
    this.#worker ??= this.#start()
    const worker = this.#worker
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = withinMs && setTimeout(() => this.#giveUp(id, withinMs), withinMs)
      const settle =
        <T>(done: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer)
          done(value)
        }
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) })
      worker.postMessage({ id, job })
    })
  }

  #giveUp(id: number, withinMs: number): void {
    this.#waiting.get(id)?.reject(new StoreError(`the store did not answer within ${withinMs} ms`))
    this.#waiting.delete(id)
  }

  /** Finishes what was sent, then ends the thread. */
  async close(): Promise<void> {
    this.#closed = true
    const worker = this.#worker
    if (worker === null) return
    const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()))
    worker.postMessage({ id: -1, job: null })
    await ended
  }

  #start(): Worker {
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
      workerData: this.#options,
      // A thread holds a few rows at a time; without a bound each may grow as large as the main thread.
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 }
    })
    let failure = new StoreError("the store's thread ended")
    worker.on('message', ({ id, result }: { id: number; result: JobResult }) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if ('error' in result) waiting?.reject(toStoreError(result.error))
      else waiting?.resolve(result.rows)
    })
    worker.on('error', cause => {
      failure = new StoreError(`the store's thread ended: ${cause instanceof Error ? cause.message : cause}`, { cause })
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null
      for (const { reject } of this.#waiting.values()) reject(failure)
      this.#waiting.clear()
    })
    return worker
  }
}
