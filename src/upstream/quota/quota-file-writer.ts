import { rename, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import type { Upstream, UpstreamStatus } from '../provider.ts'
import type { QuotaFile } from './quota-file.ts'

export interface QuotaFileWriterOptions {
  name: string
  upstream: Pick<Upstream, 'status' | 'tenants' | 'spent'>
  file: string
  clock: Clock
  /** The boot that the clock's monotonic time belongs to. */
  bootId: string | null
  log: { error(facts: object, message: string): void }
  everyMs?: number
}

/** Most calls that are on record before they are sent, and the largest share of the quota that they may be. */
const largestBlock = 20
const blockShare = 0.01
/** A disk that needs longer counts as one that can't be written. */
const patienceMs = 1_000

/**
 * Keeps the record of an upstream up to date: at least once a second while something happens, and before anything is sent that is
 * not in it yet. For that the record has a block of calls that may be sent after it, and the next block is written when half of
 * one is left. So a process that dies leaves no more than a block unknown. The record is flushed to the disk only by a graceful stop:
 * it is made for a process that dies, not for a machine that does.
 */
export class QuotaFileWriter {
  readonly #options: QuotaFileWriterOptions
  readonly #largest: number
  #sent = 0
  /** Calls that are on record and not sent. Stops don't wait, and may make it negative. */
  #left = 0
  #block = 0
  readonly #loop: Loop
  readonly #started = Promise.withResolvers<void>()
  #isClosed = false
  #writing = Promise.resolve()
  #next: Promise<void> | undefined
  #reserving: Promise<void> | undefined
  #written = { sent: -1, onMs: Number.NEGATIVE_INFINITY, facts: '' }
  #inTrouble = false

  constructor(options: QuotaFileWriterOptions) {
    this.#options = options
    const { quota } = options.upstream.status().budget
    this.#largest = Math.max(1, Math.min(largestBlock, Math.floor(quota * blockShare)))
    const { everyMs = 100 } = options
    this.#loop = new Loop({ round: () => this.#writeIfDue(), everyMs })
  }

  /** Writes the first record, before the first call goes out. */
  async start(): Promise<void> {
    await this.#inTime(this.write())
    this.#started.resolve()
    this.#loop.start()
  }

  /** Leaves exact figures, and a record that outlasts the machine. */
  async close(): Promise<void> {
    this.#isClosed = true
    // A write that is under way is waited for below, as long as a working disk takes.
    void this.#loop.close()
    await this.#inTime(this.write())
  }

  /** A call is about to be sent. */
  noticed(): void {
    this.#sent += 1
    this.#left -= 1
    if (this.#left <= this.#block / 2) this.#reserve()
  }

  /** Null when the next call may go out at once; else a promise for when it may. No call waits while nothing can be written. */
  untilReserved(): Promise<void> | null {
    if (this.#left > 0 || this.#inTrouble || this.#isClosed) return null
    return this.#reserve()
  }

  write(): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined
      return this.#write()
    })
    this.#writing = this.#next
    return this.#writing
  }

  /** Writes in the background: trouble is in the log. */
  #reserve(): Promise<void> {
    if (this.#isClosed || this.#inTrouble) return Promise.resolve()
    this.#reserving ??= this.#started.promise
      .then(() => this.#inTime(this.write()))
      .finally(() => {
        this.#reserving = undefined
      })
    return this.#reserving
  }

  #writeIfDue(): void {
    const { upstream, clock } = this.#options
    const status = upstream.status()
    const isNews = status.budget.sent !== this.#written.sent || this.#written.facts !== factsOf(status)
    if ((isNews || this.#inTrouble) && clock.monotonic() - this.#written.onMs >= 1_000) this.write()
  }

  async #write(): Promise<void> {
    const { file, clock } = this.#options
    const sent = this.#sent
    // A young process has small blocks: one that dies again and again leaves no more unknown than it has sent.
    const reserved = this.#isClosed ? 0 : Math.min(this.#largest, 1 + sent)
    const record = this.#recordWith(reserved)
    this.#written.onMs = clock.monotonic()
    try {
      await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600, flush: this.#isClosed })
      await rename(`${file}.new`, file)
      this.#block = reserved
      this.#left = reserved - (this.#sent - sent)
      this.#inTrouble = false
    } catch (error) {
      this.#troubled(error)
      // The next process would otherwise believe figures that are too low.
      await rm(file, { force: true }).catch(() => {})
    }
  }

  #recordWith(reserved: number): QuotaFile {
    const { name, upstream, clock, bootId } = this.#options
    const monotonicMs = clock.monotonic()
    const status = upstream.status()
    const { breaker, habits } = status
    const { sent, kept: _, ...figures } = status.budget
    this.#written = { ...this.#written, sent, facts: factsOf(status) }
    const spent = upstream.spent().map(({ calls, untilMs }) => ({ calls, forMs: Math.max(0, untilMs - monotonicMs) }))
    const more = { breaker, habits, tenants: upstream.tenants(), spent, reserved }
    return { upstream: name, atMs: clock.now(), monotonicMs, bootId, ...figures, ...more }
  }

  /** Waits for a record to be written, but no longer than a working disk takes. */
  async #inTime(written: Promise<void>): Promise<void> {
    const over = new AbortController()
    const late = sleep(patienceMs, true, { signal: over.signal }).catch(() => false)
    if (await Promise.race([written, late])) this.#troubled(new Error(`the disk takes longer than ${patienceMs} ms`))
    over.abort()
  }

  #troubled(err: unknown): void {
    if (!this.#inTrouble)
      this.#options.log.error(
        { event: 'quota_not_written', err },
        'what is used of the quota cannot be written down: a restart may exceed it'
      )
    this.#inTrouble = true
  }
}

/** The facts whose change is worth a new record. Used calls are among them, so that the operator sees when they have left the window. */
function factsOf({ budget, breaker, habits }: UpstreamStatus): string {
  const { used, loweredTo, pausedForMs } = budget
  return JSON.stringify([used, loweredTo, pausedForMs > 0, breaker, habits.refusesSecondStart, habits.failsForMs > 0])
}
