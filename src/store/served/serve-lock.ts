import { statSync } from 'node:fs'
import { mkdir, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { StoreError, wordsOf } from '../engine/engine.ts'
import { ServedAlready } from './patience.ts'

/** Given back when the gateway ends; a crash gives it back too, since the operating system holds it and no file does. */
export interface ServeLock {
  /** The lock file, with its inode: a file system has no two with one number. */
  readonly file: string
  readonly inode: string
  release(): void
}

/**
 * Lets one `serve` at a time work on a store: an exclusive lock on a small database beside it. (A file with a process id
 * would lie between containers, where every gateway is process 1.)
 * @param waitMs how long to wait for a predecessor that is shutting down; `onWait` is told once when there is one
 * @throws ServedAlready when another one still holds it; StoreError
 */
export async function takeServeLock(storeFile: string, waitMs: number, onWait = (): void => {}): Promise<ServeLock> {
  // One store may have several names.
  const file = `${await realpath(storeFile).catch(() => storeFile)}.lock`
  const database = await open(file)
  const deadline = performance.now() + waitMs
  let told = false
  for (;;) {
    try {
      database.exec('BEGIN EXCLUSIVE')
      // Only now is it sure to be there: SQLite makes it when it is first needed.
      const inode = String(statSync(file, { bigint: true }).ino)
      return { file, inode, release: () => database.close() }
    } catch (cause) {
      const held = cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_BUSY')
      if (!held || performance.now() >= deadline) {
        database.close()
        throw held
          ? new ServedAlready(`another gateway serves ${storeFile}: one store, one gateway`, { cause })
          : cannotLock(file, cause)
      }
      if (!told) onWait()
      told = true
      await sleep(100)
    }
  }
}

async function open(file: string): Promise<Database.Database> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    return new Database(file, { timeout: 0 })
  } catch (cause) {
    throw cannotLock(file, cause)
  }
}

function cannotLock(file: string, cause: unknown): StoreError {
  return new StoreError(`cannot lock ${file}: ${wordsOf(cause)}`, { cause })
}
