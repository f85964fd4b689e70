import { type Clock, Loop } from '../../domain/values/clock.ts'
import type { Engine } from '../engine/engine.ts'
import { makeFile } from '../engine/sqlite-file.ts'
import type { Store } from '../store.ts'
import { predecessorOf } from './predecessor.ts'
import { takeServeLock } from './serve-lock.ts'
import { beatEveryMs, StoreOwner } from './store-owner.ts'

export interface ServeOptions {
  file: string
  open(file: string): Promise<Store>
  /** Longest wait for a predecessor that is shutting down. */
  waitMs: number
  /** The boot of the machine; null where the system does not tell. */
  bootId: string | null
  clock: Pick<Clock, 'monotonic'>
  /** Throws when the store must not be served. Nothing is written into it before that. */
  demand?(store: Store): Promise<unknown>
  /** Hears before the wait that another gateway serves the store, or may serve it. */
  onWait(): void
  /** Hears how many names the database has, when it has several. */
  onNames(count: number): void
  /** Hears that a beat failed. */
  onTrouble(error: unknown): void
}

/** A store that this gateway alone serves. */
export interface ServedStore extends Store {
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
    return { ...store, engine: whileOwned(store.engine, owner), lost: () => owner.lost, close }
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
