import { type Sql, sqlFor } from './database.ts'
import type { Engine } from './engine.ts'
import { migrate } from './migrations.ts'
import { openSqlite, type Waits } from './sqlite.ts'

/** An open store: the engine that runs queries and the builder that writes them. */
export interface Store {
  readonly engine: Engine
  readonly sql: Sql
  close(): Promise<void>
}

/**
 * Opens the store and brings its schema up to date.
 * @throws StoreError when it can't be opened, or when a newer Livegate has written it
 */
export async function openStore(file: string, waits: Waits = {}): Promise<Store> {
  const engine = await openSqlite(file, waits)
  const sql = sqlFor(engine.dialect)
  try {
    await migrate(engine, sql)
  } catch (error) {
    await engine.close()
    throw error
  }
  return { engine, sql, close: () => engine.close() }
}
