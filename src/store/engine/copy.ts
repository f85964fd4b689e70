import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { link, open, readdir, rename, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { sqlFor } from '../schema/database.ts'
import { findDamage, findForeign } from '../schema/integrity.ts'
import { schemaVersion } from '../schema/migrations.ts'
import { ownerName } from '../served/predecessor.ts'
import { StoreError, wordsOf } from './engine.ts'
import { openSqliteSnapshot } from './sqlite-here.ts'

/** All pages in one step. A copy in many steps would begin again at each write of a gateway beside it. */
const allPages = 0x7fff_ffff

/**
 * Copies one moment of a store, while others may write into it, with SQLite's online backup. The copy is one durable file, readable
 * for nobody else, and was checked for damage.
 * @param to a file that is not there yet; a copy that fails leaves nothing of it
 * @throws StoreError
 */
export async function copyStore(from: string, to: string): Promise<void> {
  try {
    await (await open(to, 'wx', 0o600)).close()
  } catch (cause) {
    throw new StoreError(`cannot make ${to}: ${wordsOf(cause)}`, { cause })
  }
  try {
    await copyPages(from, to)
    await demandWhole(from, to)
    await sync(to)
  } catch (error) {
    removeDraft(to)
    throw error
  }
}

async function copyPages(from: string, to: string): Promise<void> {
  let source: Database.Database | undefined
  try {
    source = new Database(from, { readonly: true })
    await source.backup(to, { progress: () => allPages })
    const copy = new Database(to)
    forgetOwner(copy)
    // In this mode a copy needs no files beside it, so it can be read where nothing can be written.
    copy.pragma('journal_mode = DELETE')
    copy.close()
  } catch (cause) {
    throw new StoreError(`${from} cannot be copied: ${wordsOf(cause)}`, { cause })
  } finally {
    source?.close()
  }
}

/** Removes the owner row: the first gateway of the copy would wait for the owner of the original. */
function forgetOwner(copy: Database.Database): void {
  if (copy.prepare("select 1 from sqlite_schema where name = 'meta'").get() === undefined) return
  copy.prepare('delete from meta where name = ?').run(ownerName)
}

/** @throws StoreError when it is no store of Livegate, or a damaged one */
async function demandWhole(from: string, to: string): Promise<void> {
  const engine = await openSqliteSnapshot(to)
  const sql = sqlFor(engine.dialect)
  try {
    const version = sql.selectFrom('meta').select('value').where('name', '=', 'schema_version')
    const [row] = await engine.read(version.compile()).catch(() => [])
    if (row === undefined) throw new StoreError(`${from} is no store of Livegate`)
    if (Number(row.value) > schemaVersion) throw new StoreError(`${from} is of a newer Livegate`)
    const wrong = (await findForeign(engine, sql)) ?? (await findDamage(engine, sql))
    if (wrong !== null) throw new StoreError(`${from} is damaged: ${wrong}`)
  } finally {
    await engine.close()
  }
}

/**
 * Gives a finished copy its name, which no file may have yet.
 * @throws StoreError when there is one of that name
 */
export async function publishCopy(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file)
  } catch (cause) {
    throw new StoreError(`cannot make ${file}: ${wordsOf(cause)}`, { cause })
  }
  await sync(dirname(file))
}

/** A name beside a file that nobody else uses. */
export function draftOf(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}.part`
}

/** Removes a draft, with what SQLite keeps beside it: at once, since the process may be ending. */
export function removeDraft(draft: string): void {
  for (const end of [...endings, '-journal']) {
    try {
      rmSync(draft + end, { force: true })
    } catch {
      // The folder may be one where it could not be made either.
    }
  }
}

/** Removes the drafts of a file that processes have left which were killed: those that were not written for so long, or with 0 all. */
export async function sweepDrafts(file: string, silentForMs: number): Promise<void> {
  const folder = dirname(file)
  const names = await readdir(folder).catch(() => [])
  const left = names.filter(
    name => name.startsWith(`${basename(file)}.`) && /\.[0-9a-f]{12}\.part(-journal)?$/.test(name)
  )
  for (const draft of new Set(left.map(name => join(folder, name.replace(/-journal$/, ''))))) {
    const writtenAtMs = await stat(draft).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0
    )
    if (silentForMs === 0 || Date.now() - writtenAtMs >= silentForMs) removeDraft(draft)
  }
}

/** The files of a store: the database, SQLite's log and the index of that. */
const endings = ['-wal', '-shm', ''] as const

/** Whether a store is there. An empty file is none. */
export async function isStoreThere(file: string): Promise<boolean> {
  return stat(file).then(
    ({ size }) => size > 0,
    () => false
  )
}

/**
 * Puts a copy into the place of a store that nobody has open. The files there are kept under `keepAs`, also a log without its
 * database, which SQLite would take for the copy's. Gives `keepAs`, or null when there was no store.
 * @throws StoreError
 */
export async function putStore(draft: string, file: string, keepAs: string): Promise<string | null> {
  const kept = (await isStoreThere(file)) ? keepAs : null
  if (kept !== null) foldLog(file)
  try {
    for (const end of endings) {
      await rename(file + end, keepAs + end).catch(error => {
        if (error.code !== 'ENOENT') throw error
      })
    }
    await rename(draft, file)
  } catch (cause) {
    throw new StoreError(`cannot put ${file} in its place: ${wordsOf(cause)}`, { cause })
  }
  await sync(dirname(file))
  return kept
}

/** Writes the log back, so that the database alone is the store. A database that cannot be read stays as it is, with its log. */
function foldLog(file: string): void {
  // It is read first: SQLite removes the log when it opens a broken database for writing, and that log may be all there is left.
  for (const readonly of [true, false]) {
    let database: Database.Database | undefined
    try {
      database = new Database(file, { readonly })
      database.pragma(readonly ? 'schema_version' : 'wal_checkpoint(TRUNCATE)')
    } catch {
      return
    } finally {
      database?.close()
    }
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}
