import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { StoreError } from './engine.ts'

/** Given back when the gateway ends; a crash gives it back too, since the operating system holds it and no file does. */
export interface ServeLock {
  release(): void
}

/**
 * Lets one `serve` at a time work on a store: an exclusive lock on a small database beside it. (A file with a process id
 * would lie between containers, where every gateway is process 1.)
 * @param waitMs how long to wait for a predecessor that is shutting down
 * @throws StoreError when another one still holds it
 */
export async function takeServeLock(storeFile: string, waitMs: number): Promise<ServeLock> {
  await mkdir(dirname(storeFile), { recursive: true, mode: 0o700 })
  const database = new Database(`${storeFile}.lock`, { timeout: 0 })
  const deadline = performance.now() + waitMs
  for (;;) {
    try {
      database.exec('BEGIN EXCLUSIVE')
      return { release: () => database.close() }
    } catch (cause) {
      if (performance.now() >= deadline) {
        database.close()
        throw new StoreError(`another gateway serves ${storeFile}: one store, one gateway`, { cause })
      }
      await sleep(100)
    }
  }
}
