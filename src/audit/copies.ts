import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The last checkpoint: to be copied to where nobody who owns the data folder can change it. */
export const checkpointFileName = 'audit-checkpoint.txt'
export const publicKeyFileName = 'audit-public-key.txt'

/** Replaced whole: who reads it meanwhile has the one before. Of several who write at once, one is the last. */
export async function publishFile(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // By chance and not by process: in two containers both have the same number.
  const draft = join(folder, `.${name}.${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(draft, text, { mode: 0o644 })
    await rename(draft, join(folder, name))
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

/** Keeps what is about to be replaced beside it, durably: `audit-checkpoint.superseded-<time>.txt`. What is not there needs no keeping. */
export async function keepSuperseded(folder: string, name: string, timeMs: number): Promise<void> {
  const text = await readFile(join(folder, name), 'utf8').catch(error => {
    if (error.code !== 'ENOENT') throw error
    return null
  })
  if (text === null) return
  const kept = join(folder, name.replace(/(?=\.[a-z]+$)/, `.superseded-${fileTime(timeMs)}`))
  const handle = await open(kept, 'w', 0o644)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** ISO 8601 without what some file systems refuse in a name. */
export function fileTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replaceAll(':', '-')
}
