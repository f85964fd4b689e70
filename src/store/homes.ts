import { nameOfHome, type StoreHome } from '../domain/store-home.ts'
import { isStoreThere } from './engine/copy.ts'
import { type Engine, StoreError } from './engine/engine.ts'
import { refuseMount } from './engine/sqlite-file.ts'
import { checkVersion, migrate } from './schema/migrations.ts'
import { type Patience, ServedAlready } from './served/patience.ts'
import { demandNameOfGateway, OwnerUnknown, predecessorOf } from './served/predecessor.ts'
import { takeServeLock } from './served/serve-lock.ts'
import { openServed, type ServedStore, type ServeOptions } from './served/served-store.ts'
import { isOfOlder, isOlder, opened, openSnapshot, openStoreHere, type Store } from './store.ts'

/** A store at any home, as commands use it. The driver of PostgreSQL is loaded where it is needed. */

/** Opens it to serve it, when no other gateway does. @throws StoreError */
export async function serveAtHome(home: StoreHome, options: Omit<ServeOptions, 'file'>): Promise<ServedStore> {
  if (home.kind === 'sqlite') return openServed({ ...options, file: home.file })
  const { openServedPostgres } = await import('./postgres/served.ts')
  return openServedPostgres({ ...options, home })
}

/** Opens it and brings its schema up to date. @param busyTimeoutMs longest wait for another process that writes, where that is a file */
export async function openAtHome(home: StoreHome, { busyTimeoutMs }: { busyTimeoutMs: number }): Promise<Store> {
  if (home.kind === 'sqlite') return openStoreHere(home.file, { busyTimeoutMs })
  const { openPostgres } = await import('./postgres/postgres.ts')
  return opened(await openPostgres(home), migrate)
}

/** One moment of it, to be looked at. @throws StoreError also when an older Livegate has written it */
export async function snapshotAtHome(home: StoreHome): Promise<Store> {
  if (home.kind === 'sqlite') return openSnapshot(home.file)
  const { openPostgresSnapshot } = await import('./postgres/postgres.ts')
  return opened(await openPostgresSnapshot(home), checkVersion)
}

/** Whether there is a store. @throws StoreError when nobody can tell */
export async function isAtHome(home: StoreHome): Promise<boolean> {
  if (home.kind === 'sqlite') return isStoreThere(home.file)
  const { openPostgresSnapshot, hasStore } = await import('./postgres/postgres.ts')
  return looking(await openPostgresSnapshot(home), hasStore)
}

/** Whether opening it may change its schema. */
export async function isOlderAtHome(home: StoreHome): Promise<boolean> {
  if (home.kind === 'sqlite') return isOfOlder(home.file)
  const { openPostgresSnapshot } = await import('./postgres/postgres.ts')
  return isOlder(await openPostgresSnapshot(home))
}

/** Checks that it can be used by this name. @throws StoreError */
export async function demandPlace(home: StoreHome): Promise<void> {
  if (home.kind === 'sqlite') await refuseMount(home.file)
}

/** Checks for a command that changes a store beside its gateway that both use it by one name. @throws StoreError */
export function demandSameName(home: StoreHome): void {
  if (home.kind === 'sqlite') demandNameOfGateway(home.file)
}

/** Whether a gateway serves the store. */
export async function isServedAtHome(home: StoreHome): Promise<boolean> {
  if (home.kind === 'postgres') {
    const { openPostgresSnapshot } = await import('./postgres/postgres.ts')
    const { isServed } = await import('./postgres/owner.ts')
    return looking(await openPostgresSnapshot(home), isServed)
  }
  try {
    // It is given back at once: a gateway that is just starting tries again.
    const lock = await takeServeLock(home.file, 0)
    lock.release()
    return false
  } catch (error) {
    if (!(error instanceof ServedAlready)) throw error
    return true
  }
}

/**
 * Keeps every gateway from the store until that is released. A damaged file shows no gateway, and counts as having none.
 * @throws StoreError when one serves it
 */
export async function keepGatewaysOut(
  home: StoreHome,
  patience: Omit<Patience, 'waitMs'>
): Promise<() => Promise<void>> {
  const atOnce = { ...patience, waitMs: 0 }
  if (home.kind === 'sqlite') {
    const lock = await takeServeLock(home.file, 0)
    try {
      if (await isStoreThere(home.file)) await predecessorOf(home.file, lock, atOnce)
    } catch (error) {
      if (!(error instanceof OwnerUnknown)) {
        lock.release()
        throw error
      }
    }
    return async () => lock.release()
  }
  const { openPostgres } = await import('./postgres/postgres.ts')
  const { claim } = await import('./postgres/owner.ts')
  const engine = await openPostgres(home)
  try {
    const owner = await claim(home, engine, { ...atOnce, onTrouble() {} })
    return async () => {
      // A row that stays counts as silent after 6 s.
      await owner.release().catch(() => {})
      await engine.close()
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** Names what only a file has. @throws StoreError for a store in PostgreSQL */
export function demandFile(home: StoreHome, instead: string): string {
  if (home.kind === 'sqlite') return home.file
  throw new StoreError(`${nameOfHome(home)} is no file: ${instead}`)
}

async function looking<T>(engine: Engine, look: (engine: Engine) => Promise<T>): Promise<T> {
  return look(engine).finally(() => engine.close())
}
