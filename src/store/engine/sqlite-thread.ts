import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { StoreError, wordsOf } from './engine.ts'
import type { ConnectionOptions } from './sqlite-connection.ts'
import type { JobResult, Query, Transaction } from './transaction.ts'

/** A question to the worker: exactly one of the four fields is set. */
export interface Job {
  id: number
  check?: true
  read?: Query
  write?: Transaction[]
  fold?: true
}

/** The worker's answer. */
export interface JobAnswer {
  id: number
  results: JobResult[]
}

/** Jobs that came in one turn of the event loop cross together: a message costs more than most jobs. Null: it is to end. */
export type Message = Job[] | null

interface Owed {
  resolve(results: JobResult[]): void
  reject(error: StoreError): void
}

/** The main thread's end of one worker. A worker that dies, or that had nothing to do, is followed by another with the next call. */
export class SqliteThread {
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
