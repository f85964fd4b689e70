import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StoreError } from './engine.ts'

/**
 * Makes the store's file and folder when they are not there, and not by the driver, so that nobody else on the machine can
 * read them. True when the file is new.
 * @throws StoreError when they cannot be made or opened
 */
export async function makeFile(file: string): Promise<boolean> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    const handle = await open(file, 'a', 0o600)
    const isNew = (await handle.stat()).size === 0
    await handle.close()
    return isNew
  } catch (cause) {
    throw cannotOpen(file, cause)
  }
}

/** Which file it is SQLite itself does not say. */
export function cannotOpen(file: string, cause: unknown): StoreError {
  const reason = cause instanceof StoreError ? cause.reason : cause instanceof Error ? cause.message : String(cause)
  const remedy = /not a database|malformed/.test(reason) ? ': correct DATABASE_URL, or put a backup in its place' : ''
  return new StoreError(`cannot open ${file}: ${reason}${remedy}`, { cause })
}
