import { type Engine, StoreError } from './engine/engine.ts'
import { openSqlite, type Waits } from './engine/sqlite.ts'
import { openSqliteHere, openSqliteSnapshot } from './engine/sqlite-here.ts'
import { type Sql, sqlFor } from './schema/database.ts'
import { findForeign } from './schema/integrity.ts'
import { checkVersion, isBehind, migrate } from './schema/migrations.ts'

/** An open store: the engine that runs queries and the builder that writes them. */
export interface Store {
  readonly engine: Engine
  readonly sql: Sql
  close(): Promise<void>
}

/**
 * Opens the store of a gateway, with threads of its own, and brings its schema up to date.
 * @throws StoreError when it can't be opened, when a newer Livegate has written it, or when it has triggers
 */
export async function openStore(file: string, waits: Waits = {}): Promise<Store> {
  return opened(await openSqlite(file, waits), toServe)
}

/** The same on the calling thread: for commands. @throws StoreError */
export async function openStoreHere(file: string, waits: Pick<Waits, 'busyTimeoutMs'> = {}): Promise<Store> {
  return opened(await openSqliteHere(file, waits), migrate)
}

/** One moment of a store, to be looked at. @throws StoreError also when an older Livegate has written it */
export async function openSnapshot(file: string): Promise<Store> {
  return opened(await openSqliteSnapshot(file), checkVersion)
}

/** Whether opening the store may change its schema, since an older Livegate has written it. @throws StoreError when it cannot be opened */
export async function isOfOlder(file: string): Promise<boolean> {
  return isOlder(await openSqliteSnapshot(file))
}

/** The same of a moment of a store, which ends with it. */
export async function isOlder(engine: Engine): Promise<boolean> {
  try {
    return await isBehind(engine, sqlFor(engine.dialect))
  } catch {
    // Nobody can tell, so nobody may serve it meanwhile; opening it says what is wrong.
    return true
  } finally {
    await engine.close()
  }
}

/** Brings the schema of a store up to date, and refuses one that no gateway may serve. @throws StoreError */
export async function toServe(engine: Engine, sql: Sql): Promise<void> {
  await migrate(engine, sql)
  const foreign = await findForeign(engine, sql)
  if (foreign !== null) throw new StoreError(foreign)
  // A copy of a young store's main file then has at least the tables.
  await engine.fold()
}

/** A store that is ready, on an engine that ends with it, also when it cannot be made ready. @throws what `prepare` throws */
export async function opened<E extends Engine>(
  engine: E,
  prepare: (engine: E, sql: Sql) => Promise<unknown>
): Promise<Store & { engine: E }> {
  const sql = sqlFor(engine.dialect)
  try {
    await prepare(engine, sql)
  } catch (error) {
    await engine.close()
    throw error
  }
  return { engine, sql, close: () => engine.close() }
}
