import { realpathSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreError } from '../engine/engine.ts'
import { SqliteConnection } from '../engine/sqlite-connection.ts'
import { type Patience, ServedAlready, silentForMs } from './patience.ts'
import type { ServeLock } from './serve-lock.ts'
import { identityOf } from './store-place.ts'

/** The row of the table `meta`, as JSON: which gateway serves the store. */
export interface OwnerRow {
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

/** The store cannot be read, so nobody knows whether a gateway serves it. */
export class OwnerUnknown extends StoreError {}

const lookEveryMs = 500
/** More looks at a store that seems damaged, so far apart. */
const damagedLooks = 5
const damagedPauseMs = 50

/**
 * Waits for a gateway that serves the store with another lock file: the folder or the file may have a second name, or somebody has
 * removed the lock file. A gateway that is silent for 6 s counts as gone; one that held our lock file is gone, since we hold it now.
 * @returns the row that is to be replaced, null when there is none
 * @throws StoreError when that gateway lives, and does not end within `waitMs`, or when it has left changes where nobody would find them
 * @throws OwnerUnknown for a damaged store
 */
export async function predecessorOf(
  file: string,
  lock: Pick<ServeLock, 'inode'>,
  { waitMs, onWait, monotonic, pause = sleep }: Patience
): Promise<string | null> {
  const isOver = (row: string | null): boolean => row === null || lockOf(row)?.lockInode === lock.inode
  let row = await readSurely(file, pause)
  if (isOver(row)) return row
  onWait()
  const startedAtMs = monotonic()
  let changedAtMs = startedAtMs
  for (;;) {
    await pause(lookEveryMs)
    const [nowMs, before] = [monotonic(), row]
    row = await readSurely(file, pause)
    if (isOver(row)) return row
    if (row !== before) changedAtMs = nowMs
    const lives = changedAtMs > startedAtMs
    if (lives && nowMs - startedAtMs >= waitMs) throw alive(file, row ?? '')
    if (nowMs - changedAtMs < silentForMs) continue
    refuseLeftBehind(file, row ?? '')
    return row
  }
}

/**
 * A gateway that has the file by another name writes into it under locks that nobody sees by ours: a read in the midst of that finds
 * damage which is gone a moment later.
 */
async function readSurely(file: string, pause: NonNullable<Patience['pause']>): Promise<string | null> {
  for (let left = damagedLooks; ; left -= 1) {
    try {
      return readRow(file)
    } catch (error) {
      if (left === 0 || !(error instanceof OwnerUnknown)) throw error
      await pause(damagedPauseMs)
    }
  }
}

/** Reads the owner row through a new connection: one that stays open would not see what is written under another name. */
function readRow(file: string): string | null {
  const connection = new SqliteConnection({ file, readonly: true })
  const result = connection.read({ sql: 'select value from meta where name = ?', parameters: [ownerName] })
  connection.close()
  if ('rows' in result) return (result.rows[0]?.[0]?.value as string | undefined) ?? null
  // A new store has no tables. A file that is no database is refused when it is opened as the store.
  if (/no such table|NOTADB/.test(result.error.message)) return null
  const reason = `${file} cannot be read: ${result.error.message}`
  throw /BUSY|LOCKED/.test(result.error.message) ? new StoreError(reason) : new OwnerUnknown(reason)
}

function alive(file: string, row: string): ServedAlready {
  const lockFile = lockOf(row)?.lockFile ?? 'one that is not known'
  return new ServedAlready(
    `another gateway serves ${file}, under another name or with a lock file that was removed (${lockFile}): one store, one gateway`
  )
}

/**
 * SQLite keeps the last changes beside the name under which that gateway opened the file.
 * @throws StoreError when they are beside another name than ours
 */
function refuseLeftBehind(file: string, row: string): void {
  const name = lockOf(row)?.lockFile.replace(/\.lock$/, '') ?? ''
  const size = statSync(`${name}-wal`, { throwIfNoEntry: false })?.size ?? 0
  if (size === 0 || name === realpathSync(file) || identityOf(name) !== identityOf(file)) return
  throw new StoreError(
    `${file} was served as ${name} by a gateway that was killed, and its last changes are beside that name: use it by that`
  )
}

/**
 * Checks for a command that changes a store beside its gateway: what it writes lies beside the name that it uses, and a gateway that uses
 * another one of the same file would never see it.
 * @throws StoreError when that is so
 */
export function demandNameOfGateway(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false })
  // A folder has several names too: opening it as a store says that it is none.
  const served = stats?.isFile() && stats.nlink > 1 ? lockOf(readRow(file) ?? '') : null
  if (served === null) return
  const ours = `${realpathSync(file)}.lock`
  const inode = statSync(ours, { bigint: true, throwIfNoEntry: false })?.ino
  if (served.lockFile === ours || served.lockInode === String(inode)) return
  throw new StoreError(`${file} is served under another name (its lock file is ${served.lockFile}): use it by that`)
}

/** The lock file that an owner row names; null when the row is not one of ours. */
function lockOf(row: string): Pick<OwnerRow, 'lockFile' | 'lockInode'> | null {
  try {
    const { lockFile, lockInode } = JSON.parse(row) as Partial<OwnerRow>
    return typeof lockFile === 'string' && typeof lockInode === 'string' ? { lockFile, lockInode } : null
  } catch {
    return null
  }
}
