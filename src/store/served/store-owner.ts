import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { Clock } from '../../domain/values/clock.ts'
import { Conflict, StoreError } from '../engine/engine.ts'
import type { Store } from '../store.ts'
import type { ServeLock } from './serve-lock.ts'

/** The row of the table `meta`, as JSON: which gateway serves the store. */
interface OwnerRow {
  /** Random for each start. It stands first, so that a row is found by its beginning. */
  id: string
  /** Boot of the machine, for people: each start of the machine has another one. */
  bootId: string
  lockFile: string
  lockInode: string
  /** Grows while that gateway lives. */
  beats: number
}

export const ownerName = 'serve_owner'
export const beatEveryMs = 2_000
/** After so long without a beat another gateway may have taken over: a beat has to succeed before anything else is written. */
const staleAfterMs = 4_000

export interface OwnerOptions {
  store: Store
  file: string
  lock: Pick<ServeLock, 'file' | 'inode'>
  /** The row that may be replaced, as it was seen; null when there was none. */
  replaces: string | null
  /** The boot of the machine; null where the system does not tell. */
  bootId: string | null
  clock: Pick<Clock, 'monotonic'>
  /** Hears how many names the database has by now, when it has several. */
  onNames(count: number): void
}

/** The row that says which gateway serves the store. Its gateway writes it again and again; without that it counts as gone. */
export class StoreOwner {
  readonly #options: OwnerOptions
  #row: OwnerRow
  #lost = false
  #names = 1
  #beatenAtMs = Number.NEGATIVE_INFINITY
  #beating: Promise<void> | null = null

  private constructor(options: OwnerOptions) {
    this.#options = options
    const { file: lockFile, inode: lockInode } = options.lock
    this.#row = { id: randomUUID(), bootId: options.bootId ?? 'unknown', lockFile, lockInode, beats: 0 }
  }

  /** @throws StoreError when another gateway was faster */
  static async claim(options: OwnerOptions): Promise<StoreOwner> {
    const owner = new StoreOwner(options)
    const { store, replaces, clock } = options
    const value = JSON.stringify(owner.#row)
    const meta = store.sql.updateTable('meta').set({ value }).where('name', '=', ownerName)
    const claim =
      replaces === null
        ? store.sql
            .insertInto('meta')
            .values({ name: ownerName, value })
            .onConflict(conflict => conflict.doNothing())
        : meta.where('value', '=', replaces)
    try {
      await store.engine.write([{ ...claim.compile(), changes: 1 }])
    } catch (error) {
      if (error instanceof Conflict) throw new StoreError('another gateway has just begun to serve this store')
      throw error
    }
    owner.#beatenAtMs = clock.monotonic()
    // A gateway that opens the file under another name does not see what is in the log beside this one.
    await store.engine.fold()
    await owner.#count()
    return owner
  }

  /** True when another gateway has taken over. */
  get lost(): boolean {
    return this.#lost
  }

  /** Whether the row was ours a moment ago. Else a beat is due before anything is written. */
  get isSure(): boolean {
    return !this.#lost && this.#options.clock.monotonic() - this.#beatenAtMs < staleAfterMs
  }

  /** Writes the row once more. Calls meanwhile share the one under way. @throws StoreError, also when another gateway has taken over */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = null
    })
    return this.#beating
  }

  /** Removes the row, so that the next gateway need not wait. */
  async release(): Promise<void> {
    const { store } = this.#options
    await this.#beating?.catch(() => {})
    const mine = store.sql.deleteFrom('meta').where('name', '=', ownerName).where('value', 'like', this.#pattern())
    await store.engine.write([mine.compile()])
  }

  async #beat(): Promise<void> {
    const { store, clock } = this.#options
    const row = { ...this.#row, beats: this.#row.beats + 1 }
    const beat = store.sql
      .updateTable('meta')
      .set({ value: JSON.stringify(row) })
      .where('name', '=', ownerName)
    const begunAtMs = clock.monotonic()
    try {
      await store.engine.write([{ ...beat.where('value', 'like', this.#pattern()).compile(), changes: 1 }])
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
      this.#lost = true
      throw new StoreError('another gateway has taken this store over: end one of the two')
    }
    this.#row = row
    this.#lost = false
    this.#beatenAtMs = begunAtMs
    await this.#count()
    if (this.#names > 1) await store.engine.fold()
  }

  async #count(): Promise<void> {
    const { file, onNames } = this.#options
    const { nlink } = await stat(file)
    if (nlink !== this.#names && nlink > 1) onNames(nlink)
    this.#names = nlink
  }

  /** Matches our own row by its id: a beat may have been written although its answer was lost. */
  #pattern(): string {
    return `{"id":"${this.#row.id}"%`
  }
}

/** The lock file that an owner row names; null when the row is not one of ours. */
export function lockOf(row: string): Pick<OwnerRow, 'lockFile' | 'lockInode'> | null {
  try {
    const { lockFile, lockInode } = JSON.parse(row) as Partial<OwnerRow>
    return typeof lockFile === 'string' && typeof lockInode === 'string' ? { lockFile, lockInode } : null
  } catch {
    return null
  }
}
