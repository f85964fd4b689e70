/** A store without threads, for tests that look into it: quicker, and seen by the coverage, which threads are not. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { StoreHome } from '../../src/domain/store-home.ts'
import type { Engine } from '../../src/store/engine/engine.ts'
import { openSqliteHere } from '../../src/store/engine/sqlite-here.ts'
import { openAtHome as openThere } from '../../src/store/homes.ts'
import { openPostgres } from '../../src/store/postgres/postgres.ts'
import { type Sql, sqlFor } from '../../src/store/schema/database.ts'
import { openStoreHere as openHere, openStore as openWithThreads, type Store } from '../../src/store/store.ts'
import { databaseOf, isOnPostgres, openPostgresHere, rowsAsText } from './postgres/stores.ts'

export { snapshotAtHome } from '../../src/store/homes.ts'
export { openSnapshot } from '../../src/store/store.ts'

/** The bytes of a store without rows, made once in a process: the steps of the schema cost a quarter of a gateway's start. */
let empty: Promise<Buffer> | undefined

/** A lock is waited for on the thread of the test: for no longer than it takes to see that it is held. */
const shortWait = { busyTimeoutMs: 25 }

/** As in src, but a new store is a copy of an empty one, with an audit log of its own. */
export async function openStoreHere(...[file, waits = shortWait]: Parameters<typeof openHere>): Promise<Store> {
  return isOnPostgres() ? openPostgresHere(file) : openFileHere(file, waits)
}

/** The same for a file, where other stores of this process are in PostgreSQL. */
export async function openFileHere(...[file, waits]: Parameters<typeof openHere>): Promise<Store> {
  const isNew = existsSync(file) ? statSync(file).size === 0 : existsSync(dirname(file))
  if (!isNew) return openHere(file, waits)
  empty ??= makeEmpty()
  writeFileSync(file, await empty, { mode: 0o600 })
  const store = await openHere(file, waits)
  const ownLog = { value: randomBytes(8).toString('hex') }
  await store.engine.write([store.sql.updateTable('meta').set(ownLog).where('name', '=', 'audit_log').compile()])
  return store
}

/** As a gateway opens it. */
export function openStore(...[file, waits]: Parameters<typeof openWithThreads>): Promise<Store> {
  return isOnPostgres() ? openPostgresHere(file) : openWithThreads(file, waits)
}

/** As a command opens it, beside tests that have it open without threads. */
export async function openAtHome(home: StoreHome): Promise<Store> {
  return home.kind === 'sqlite'
    ? openFileHere(home.file, { busyTimeoutMs: 10_000 })
    : openThere(home, { busyTimeoutMs: 0 })
}

/** A store before its first step, or as it was left. */
export async function openEmptyEngine(file: string): Promise<Engine> {
  return isOnPostgres() ? openPostgres(await databaseOf(file, { isEmpty: true })) : openSqliteHere(file)
}

/** Builds queries for the stores that this process has. */
export function sqlOfStores(): Sql {
  return sqlFor(isOnPostgres() ? 'postgres' : 'sqlite')
}

/** All that is kept, to be searched for what must not be there. */
export async function bytesOf(file: string): Promise<string> {
  return isOnPostgres() ? rowsAsText(file) : readFileSync(file, 'latin1') + readFileSync(`${file}-wal`, 'latin1')
}

async function makeEmpty(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'livegate-empty-'))
  try {
    const file = join(folder, 'livegate.db')
    const store = await openHere(file)
    await store.close()
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
