import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { CompiledQuery } from 'kysely'
import { identityOf } from '../served/store-place.ts'
import { type Engine, StoreError, threadTimeMs, wordsOf } from './engine.ts'
import { GroupCommit } from './group-commit.ts'
import type { ConnectionOptions } from './sqlite-connection.ts'
import { cannotOpen, makeFile } from './sqlite-file.ts'
import { type Job, type JobAnswer, type JobResult, type Message, toStoreError } from './transaction.ts'

/** Times for which this process waits. */
export interface Waits extends Pick<ConnectionOptions, 'busyTimeoutMs'> {
  /** A store that doesn't answer in this time counts as broken: calls that wait for it, a stop among them, go on without it. */
  readWithinMs?: number
  /** The thread of scans ends when there was none for so long: it takes 12 MB. */
  scannerEndsAfterMs?: number
}

const scanWithinMs = 10_000

/**
 * SQLite in worker threads, one that writes and two that only read, so that a slow disk holds neither the event loop
 * nor a cache miss. A thread takes 0.1 s of CPU and 12 MB, so the two begin when calls come that need them.
 * @throws StoreError when the file cannot be opened or made
 */
export async function openSqlite(
  file: string,
  { readWithinMs = 2_000, scannerEndsAfterMs = 60_000, ...waits }: Waits = {}
): Promise<Engine> {
  await makeFile(file)
  const options = { ...waits, file, identity: identityOf(file) ?? undefined }
  const writer = new SqliteThread({ ...options, readonly: false })
  const reader = new SqliteThread({ ...options, readonly: true })
  const scanner = new SqliteThread({ ...options, readonly: true }, { endsAfterMs: scannerEndsAfterMs })
  const threads = [scanner, reader, writer]
  const group = new GroupCommit(transactions => writer.run({ write: transactions }))
  const nothing = { read: { sql: 'select 1', parameters: [] } }
  let isServing = false
  let isStarting = false
  // Before the first call there is nothing that a look-up could wait for, nor a look-up that could wait for a scan.
  let lookUps = writer
  try {
    await writer.run(nothing)
  } catch (error) {
    await Promise.all(threads.map(thread => thread.close()))
    throw cannotOpen(file, error)
  }

  /** No look-up waits for it: until it stands, the writer looks up too. */
  async function startReader(): Promise<void> {
    if (isStarting || lookUps === reader) return
    isStarting = true
    try {
      await reader.run(nothing, readWithinMs)
      lookUps = reader
    } catch {
      // The next write tries again.
    } finally {
      isStarting = false
    }
  }

  return {
    dialect: 'sqlite',
    read: query => ask(lookUps, query, readWithinMs),
    scan: query => ask(isServing ? scanner : writer, query, scanWithinMs),
    async serve() {
      isServing = true
      await startReader()
    },
    write(statements, { withinMs } = {}) {
      if (isServing) void startReader()
      const plain = statements.map(({ sql, parameters, changes }) => ({ sql, parameters, changes }))
      // A moment and not a span: what waits for its turn grows old too.
      const expiresAtMs = withinMs === undefined ? undefined : threadTimeMs() + withinMs
      return group.run({ statements: plain, expiresAtMs })
    },
    async check() {
      rowsOf((await lookUps.run({ check: true }, readWithinMs))[0] as JobResult)
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

interface Owed {
  resolve(results: JobResult[]): void
  reject(error: StoreError): void
}

/** The main thread's end of one worker. A worker that dies, or that had nothing to do, is followed by another with the next call. */
class SqliteThread {
  readonly #options: ConnectionOptions
  readonly #endsAfterMs: number | undefined
  readonly #waiting = new Map<number, Owed>()
  #outbox: Job[] = []
  #worker: Worker | null = null
  #idle: NodeJS.Timeout | undefined
  /** The thread that ends because it had nothing to do. */
  #leaving: Promise<void> | undefined
  #closed = false
  #nextId = 0

  /** @param endsAfterMs the thread ends when it had nothing to do for so long; without it, never */
  constructor(options: ConnectionOptions, { endsAfterMs }: { endsAfterMs?: number } = {}) {
    this.#options = options
    this.#endsAfterMs = endsAfterMs
  }

  /** Rejects with a StoreError when the thread ends, or when there is no answer within the time given. */
  run(job: Omit<Job, 'id'>, withinMs?: number): Promise<JobResult[]> {
    // Nobody would end a thread that is started now.
    if (this.#closed) return Promise.reject(new StoreError('the store is closed'))
    this.#worker ??= this.#start()
    clearTimeout(this.#idle)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = withinMs && setTimeout(() => this.#giveUp(id, withinMs), withinMs)
      const withoutTimer =
        <T>(done: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer)
          done(value)
        }
      this.#waiting.set(id, { resolve: withoutTimer(resolve), reject: withoutTimer(reject) })
      if (this.#outbox.length === 0) setImmediate(() => this.#post())
      this.#outbox.push({ id, ...job })
    })
  }

  #post(): void {
    const jobs = this.#outbox
    this.#outbox = []
    // None are left when the thread has died before they were sent: their callers have heard of it.
    if (jobs.length > 0) this.#worker?.postMessage(jobs satisfies Message)
  }

  #giveUp(id: number, withinMs: number): void {
    this.#waiting.get(id)?.reject(new StoreError(`the store did not answer within ${withinMs} ms`))
    this.#waiting.delete(id)
  }

  /** Finishes what was sent, then ends the thread. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idle)
    await this.#leaving
    if (this.#worker !== null) await this.#end(this.#worker)
  }

  #end(worker: Worker): Promise<void> {
    const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()))
    this.#post()
    worker.postMessage(null satisfies Message)
    return ended
  }

  /** Counts from the last answer. */
  #endWhenIdle(worker: Worker): void {
    if (this.#endsAfterMs === undefined || this.#waiting.size > 0) return
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      this.#worker = null
      this.#leaving = this.#end(worker)
    }, this.#endsAfterMs).unref()
  }

  #start(): Worker {
    // Beside this file, in the build too, where both end in `.js`.
    const file = new URL(`./sqlite-worker${extname(import.meta.filename)}`, import.meta.url)
    const worker = new Worker(file, {
      workerData: this.#options,
      // A thread holds a few rows at a time; without a bound each may grow as large as the main thread.
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 3 }
    })
    let failure = new StoreError("the store's thread ended")
    worker.on('message', (answers: JobAnswer[]) => {
      for (const { id, results } of answers) {
        const waiting = this.#waiting.get(id)
        this.#waiting.delete(id)
        waiting?.resolve(results)
      }
      this.#endWhenIdle(worker)
    })
    worker.on('error', cause => {
      failure = new StoreError(`the store's thread ended: ${wordsOf(cause)}`, { cause })
    })
    worker.on('exit', () => {
      // One that was sent away owes nothing: what waits now is another one's.
      if (this.#worker !== worker) return
      this.#worker = null
      for (const { reject } of this.#waiting.values()) reject(failure)
      this.#waiting.clear()
      this.#outbox = []
    })
    return worker
  }
}
