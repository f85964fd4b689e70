import type { ChainHead, StoredNote } from '../domain/audit/audit-chain.ts'
import { type Clock, Loop } from '../domain/values/clock.ts'
import type { Signer } from './proof/note.ts'
import { writeHead } from './proof/statements.ts'

export interface CheckpointerOptions {
  /** The name of the log. */
  log: string
  signer: Signer
  /** The place of the log after everything that was asked to be written before. */
  head(): Promise<ChainHead>
  /** Whether the log still goes through there, or has been cut since. */
  holds(head: ChainHead): Promise<boolean>
  /** Writes it down. False, and nothing is written, when another key than this signs by now. */
  write(note: StoredNote, publicKey: string): Promise<boolean>
  /** The key that signs by now: after a rotation that another process has made. */
  reload(): Promise<Signer>
  /** To where a copy survives what happens to the store. */
  publish(note: StoredNote): Promise<void>
  onTrouble(error: unknown): void
  /** Whether this process signs by itself. One that does not follows the last that another one has signed. */
  leads?(): boolean
  /** The last checkpoint of the store. */
  last?(): Promise<StoredNote | null>
  clock: Clock
  everyMs?: number
  everyEvents?: number
}

/** A wall clock that has moved so far from the monotonic one was set. */
const steppedMs = 5_000

/**
 * Signs how far the log goes, every 10 s and every 1,000 events, also when nothing happens: so that silence is on record too,
 * and nobody can cut or rewrite more than that without a signature that shows it. And with the first event after the clock was set:
 * unsigned events from before and after it would look like hours without a checkpoint.
 */
export class Checkpointer {
  readonly #options: Required<CheckpointerOptions>
  #signer: Signer
  readonly #loop: Loop
  #events = 0
  /** The last signed state: nobody makes this process sign a log that was written again behind its back. */
  #signed: ChainHead | null = null
  /** On the monotonic clock; the start of this process's signing where nothing is signed yet. */
  #signedOnMs: number
  #signing: Promise<void> | null = null
  /** The last event that another process has signed. */
  #followed = 0
  /** Lead of the wall clock over the monotonic one when it was signed. */
  #signedAheadMs: number

  constructor(options: CheckpointerOptions) {
    this.#options = { everyMs: 10_000, everyEvents: 1_000, leads: () => true, last: async () => null, ...options }
    this.#signer = options.signer
    this.#signedOnMs = options.clock.monotonic()
    this.#signedAheadMs = this.#aheadMs()
    this.#loop = new Loop({ round: () => this.#try(), everyMs: this.#options.everyMs })
  }

  /** The first one covers what an earlier process has left. A full disk is no reason not to start: stops must work. */
  async start(): Promise<void> {
    await this.#try()
    this.#loop.start()
  }

  /** Makes each event that is appended count for the next checkpoint. */
  counting<E, R>(append: (event: E) => R): (event: E) => R {
    return event => {
      this.noticed()
      return append(event)
    }
  }

  /** An event is being written. */
  noticed(): void {
    this.#events += 1
    const wasSet = Math.abs(this.#aheadMs() - this.#signedAheadMs) > steppedMs
    if (this.#events < this.#options.everyEvents && !wasSet) return
    this.#events = 0
    this.#loop.wake()
  }

  /** Lead of the wall clock over the monotonic one: it stays the same while nobody sets the clock. */
  #aheadMs(): number {
    return this.#options.clock.now() - this.#options.clock.monotonic()
  }

  /** The last event that was signed, as far as this process knows, and how long ago. Before the first it is 0, and the time since it was to be signed. */
  signed(): { seq: number; ageMs: number } {
    return {
      seq: Math.max(this.#signed?.seq ?? 0, this.#followed),
      ageMs: this.#options.clock.monotonic() - this.#signedOnMs
    }
  }

  /** Signs now. Those who ask meanwhile share the one under way. Rejects when the store can't be asked or written. */
  sign(): Promise<void> {
    this.#signing ??= this.#sign().finally(() => {
      this.#signing = null
    })
    return this.#signing
  }

  /** Signs a last time. */
  async close(): Promise<void> {
    await this.#loop.close()
    await this.#signing?.catch(() => {})
    await this.#try()
  }

  /** Tells of trouble each time: each is a piece of the log that is not signed. */
  async #try(): Promise<void> {
    const { leads, onTrouble } = this.#options
    await (leads() ? this.sign() : this.#followOther()).catch(error => onTrouble(error))
  }

  /** The copy beside each process vouches for what any of them has signed. */
  async #followOther(): Promise<void> {
    const { last, publish, clock } = this.#options
    const note = await last()
    if (note === null || note.seq <= this.#followed) return
    this.#followed = note.seq
    this.#signedOnMs = clock.monotonic() - Math.max(0, clock.now() - note.timeMs)
    await publish(note)
  }

  async #sign(): Promise<void> {
    if (this.#signed !== null && !(await this.#options.holds(this.#signed))) {
      throw new Error(`event ${this.#signed.seq} is not the one that was signed: somebody has changed the audit log`)
    }
    if (await this.#signWith(this.#signer)) return
    this.#signer = await this.#options.reload()
    if (!(await this.#signWith(this.#signer))) throw new Error('the key that signs the audit log is not here')
  }

  /** False when another key signs by now. */
  async #signWith(signer: Signer): Promise<boolean> {
    const { log, head, write, publish, clock } = this.#options
    const place = await head()
    const [timeMs, aheadMs] = [clock.now(), this.#aheadMs()]
    const text = signer.sign(writeHead('checkpoint', log, place, timeMs))
    const note: StoredNote = { kind: 'checkpoint', seq: place.seq, timeMs, note: text }
    if (!(await write(note, signer.publicKey))) return false
    this.#signed = place
    this.#signedOnMs = clock.monotonic()
    this.#signedAheadMs = aheadMs
    await publish(note)
    return true
  }
}
