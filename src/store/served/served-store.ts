import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { onlyReplica, type Replicas } from '../../domain/replicas.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import { Conflict, type Engine, StoreError } from '../engine/engine.ts'
import { makeFile } from '../engine/sqlite-file.ts'
import type { Store } from '../store.ts'
import { ServedAlready } from './patience.ts'
import { type OwnerRow, ownerName, predecessorOf } from './predecessor.ts'
import { type ServeLock, takeServeLock } from './serve-lock.ts'

export interface ServeOptions {
  file: string
  open(file: string): Promise<Store>
  /** Longest wait for a predecessor that is shutting down. */
  waitMs: number
  /** The boot of the machine; null where the system does not tell. */
  bootId: string | null
  clock: Pick<Clock, 'monotonic'>
  /** As many gateways may serve a store in PostgreSQL; a file has one. */
  most?: number
  /** Longest call to a vendor. */
  deadlineMs?: number
  /** Longest time until a start has its turn in the store. Default: as long as its record may take. */
  writeWithinMs?: number | undefined
  /** Throws when the store must not be served. Nothing but its schema is changed before that. */
  demand?(store: Store): Promise<unknown>
  /** Hears before the wait that another gateway serves the store, or may serve it. */
  onWait(): void
  /** Hears how many names the database has, when it has several. */
  onNames(count: number): void
  /** Hears that a beat failed. */
  onTrouble(error: unknown): void
}

/** A store that this gateway serves. */
export interface ServedStore extends Store {
  /** The gateways that serve it together. */
  replicas: Replicas
  /** True when another gateway has taken it over. */
  lost(): boolean
}

/**
 * Opens a store to serve it, when no other gateway does. A lock on a file beside it keeps others out, and a row in it those that have
 * found another file to lock. Nothing is written while it is not sure that the row is still ours.
 * @throws StoreError
 */
export async function openServed({
  file,
  open,
  waitMs,
  bootId,
  clock,
  demand,
  onWait,
  ...told
}: ServeOptions): Promise<ServedStore> {
  // The lock lies beside the file that a link leads to, so that file has to be there.
  await makeFile(file)
  const lock = await takeServeLock(file, waitMs, onWait)
  const opened: (() => unknown)[] = [() => lock.release()]
  const close = async (): Promise<void> => {
    while (opened.length > 0) await opened.pop()?.()
  }
  try {
    const replaces = await predecessorOf(file, lock, { waitMs, onWait, monotonic: clock.monotonic })
    const store = await open(file)
    opened.push(() => store.close())
    await demand?.(store)
    const owner = await StoreOwner.claim({ store, file, lock, replaces, bootId, clock, onNames: told.onNames })
    opened.push(() => owner.release().catch(told.onTrouble))
    const beating = new Loop({ round: () => owner.beat(), everyMs: beatEveryMs, onTrouble: told.onTrouble }).start()
    opened.push(() => void beating.close())
    return { ...store, replicas: onlyReplica, engine: whileOwned(store.engine, owner), lost: () => owner.lost, close }
  } catch (error) {
    await close()
    throw error
  }
}

function whileOwned(engine: Engine, owner: Pick<StoreOwner, 'isSure' | 'beat'>): Engine {
  return {
    ...engine,
    write(statements, options) {
      const write = () => engine.write(statements, options)
      return owner.isSure ? write() : owner.beat().then(write)
    }
  }
}

const beatEveryMs = 2_000
/** After so long without a beat another gateway may have taken over: a beat has to succeed before anything else is written. */
const staleAfterMs = 4_000

interface OwnerOptions {
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
      if (error instanceof Conflict) throw new ServedAlready('another gateway has just begun to serve this store')
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
