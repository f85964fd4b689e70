import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkFile } from '../domain/values/own-file.ts'

/** The last checkpoint: to be copied to where nobody who owns the data folder can change it. */
export const checkpointFileName = 'audit-checkpoint.txt'
export const publicKeyFileName = 'audit-public-key.txt'

/** Reads a key, a note or what else a line or two of ours are. @throws Error also for a pipe, on which it would wait for ever */
export async function readOwnFile(file: string): Promise<string> {
  checkFile(file, await stat(file))
  return readFile(file, 'utf8')
}

/** Replaces a file whole: readers see the old one or the new one, and the last of several writers wins. */
export async function publishFile(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // The name is random, since in two containers both processes have the same number.
  const draft = join(folder, `.${name}.${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(draft, text, { mode: 0o644 })
    await rename(draft, join(folder, name))
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

/** Keeps a copy of a file that is about to be replaced, durably: `audit-checkpoint.superseded-<time>.txt`. Does nothing when there is none. */
export async function keepSuperseded(folder: string, name: string, timeMs: number): Promise<void> {
  const text = await readOwnFile(join(folder, name)).catch(error => {
    if (error.code !== 'ENOENT') throw error
    return null
  })
  if (text === null) return
  const kept = join(folder, name.replace(/(?=\.[a-z]+$)/, `.superseded-${fileTime(timeMs)}`))
  await writeFile(kept, text, { mode: 0o644, flush: true })
}

/** ISO 8601 without what some file systems refuse in a name. */
export function fileTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replaceAll(':', '-')
}
