import type { ChainHead, StoredNote } from '../domain/audit-chain.ts'
import type { Clock } from '../domain/clock.ts'
import type { Signer } from './note.ts'
import { writeHead } from './statements.ts'

export interface CheckpointerOptions {
  /** The name of the log. */
  log: string
  signer: Signer
  /** Where the log stands, after everything that was asked to be written before. */
  head(): Promise<ChainHead>
  /** Writes it down. False, and nothing is written, when another key than this signs by now. */
  write(note: StoredNote, publicKey: string): Promise<boolean>
  /** The key that signs by now: after a rotation that another process has made. */
  reload(): Promise<Signer>
  /** To where a copy survives what happens to the store. */
  publish(note: StoredNote): Promise<void>
  onTrouble(error: unknown): void
  clock: Pick<Clock, 'now'>
  everyMs?: number
  everyEvents?: number
}

/**
 * Signs how far the log goes, every 10 s and every 1,000 events, also when nothing happens: so that silence is on record too,
 * and nobody can cut or rewrite more than that without a signature that shows it.
 */
export class Checkpointer {
  readonly #options: Required<CheckpointerOptions>
  #signer: Signer
  #timer: NodeJS.Timeout | null = null
  #events = 0
  #signing: Promise<void> | null = null

  constructor(options: CheckpointerOptions) {
    this.#options = { everyMs: 10_000, everyEvents: 1_000, ...options }
    this.#signer = options.signer
  }

  /** The first one covers what an earlier process has left. A full disk is no reason not to start: stops must work. */
  async start(): Promise<void> {
    await this.sign().catch(error => this.#options.onTrouble(error))
    this.#timer = setInterval(() => this.#try(), this.#options.everyMs)
  }

  /** An event is being written. */
  noticed(): void {
    this.#events += 1
    if (this.#events < this.#options.everyEvents) return
    this.#events = 0
    this.#try()
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
    if (this.#timer !== null) clearInterval(this.#timer)
    await this.#signing?.catch(() => {})
    await this.sign().catch(error => this.#options.onTrouble(error))
  }

  #try(): void {
    this.sign().catch(error => this.#options.onTrouble(error))
  }

  async #sign(): Promise<void> {
    const { write, reload } = this.#options
    const note = await this.#note()
    if (await write(note, this.#signer.publicKey)) return this.#options.publish(note)
    this.#signer = await reload()
    const again = await this.#note()
    if (!(await write(again, this.#signer.publicKey))) throw new Error('the key that signs the audit log is not here')
    await this.#options.publish(again)
  }

  async #note(): Promise<StoredNote> {
    const { log, head, clock } = this.#options
    const place = await head()
    const timeMs = clock.now()
    return {
      kind: 'checkpoint',
      seq: place.seq,
      timeMs,
      note: this.#signer.sign(writeHead('checkpoint', log, place, timeMs))
    }
  }
}
