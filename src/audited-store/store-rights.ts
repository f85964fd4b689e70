import files, { constants } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fingerprintKeyFile, type KeyPlaces, signingKeyFile } from '../audit/keys/key-files.ts'
import type { StoreHome } from '../domain/store-home.ts'
import { StoreError } from '../store/engine/engine.ts'

interface Places {
  home: StoreHome
  auditKeys: KeyPlaces
}
/** The questions to the file system. Tests run as a user who may do everything, and hand in one that says no. */
type Asked = Pick<typeof files, 'access' | 'stat'>
type Verb = 'read' | 'write to' | 'enter'

const modes: Record<Verb, number> = {
  read: constants.R_OK,
  'write to': constants.R_OK | constants.W_OK,
  enter: constants.X_OK
}

/**
 * Says why this process cannot use the store as `serve` and changing commands do, and what to do about it: a container's volume
 * often belongs to another user. Null when nothing stands in the way. It opens no file, since closing it would release SQLite's locks.
 */
export async function writeTrouble({ home, auditKeys }: Places, fs: Asked = files): Promise<string | null> {
  const file = home.kind === 'sqlite' ? home.file : null
  const folders = [...(file === null ? [] : [dirname(file)]), auditKeys.dataDir]
  const all = file === null ? [] : [file, `${file}-wal`, `${file}-shm`, `${file}.lock`]
  const keys = [signingKeyFile(auditKeys), fingerprintKeyFile(auditKeys)]
  return (
    (await first([...all, ...keys], file => special(fs, file))) ??
    (await first(folders, folder => folderTrouble(fs, folder))) ??
    (await first(all, file => refusal(fs, file, 'write to'))) ??
    (await first(keys, file => refusal(fs, file, 'read')))
  )
}

/** Says the same for a command that only reads. It changes nothing, but SQLite needs its index file (`-shm`) beside the store. */
export async function readTrouble({ home }: Pick<Places, 'home'>, fs: Asked = files): Promise<string | null> {
  if (home.kind === 'postgres') return null
  const storeFile = home.file
  const all = [storeFile, `${storeFile}-wal`, `${storeFile}-shm`]
  const unreadable =
    (await first(all, file => special(fs, file))) ?? (await first(all, file => refusal(fs, file, 'read')))
  if (unreadable !== null || !(await isThere(storeFile)) || (await isThere(`${storeFile}-shm`))) return unreadable
  return folderTrouble(fs, dirname(storeFile))
}

/** @throws StoreError in the words of `writeTrouble` */
export async function demandWritable(places: Places): Promise<void> {
  const trouble = await writeTrouble(places)
  if (trouble !== null) throw new StoreError(trouble)
}

/** @throws StoreError in the words of `readTrouble` */
export async function demandReadable(places: Pick<Places, 'home'>): Promise<void> {
  const trouble = await readTrouble(places)
  if (trouble !== null) throw new StoreError(trouble)
}

/** The folder itself or, before it is made, the one that it will be made in. */
export async function nearestFolder(folder: string): Promise<string> {
  return (await isThere(folder)) ? folder : nearestFolder(dirname(folder))
}

export async function isThere(path: string): Promise<boolean> {
  return (await codeOf(files.stat(path))) === null
}

async function first<T>(all: T[], look: (one: T) => Promise<string | null>): Promise<string | null> {
  for (const one of all) {
    const trouble = await look(one)
    if (trouble !== null) return trouble
  }
  return null
}

/** Says why no file can be made in a folder. */
async function folderTrouble(fs: Asked, folder: string): Promise<string | null> {
  const nearest = await nearestFolder(folder)
  if (!(await fs.stat(nearest)).isDirectory()) return `${nearest} is a file, where a folder should be`
  return (await refusal(fs, nearest, 'enter')) ?? (await refusal(fs, nearest, 'write to'))
}

/** Says that a path leads to what is no file: to open a pipe would last for ever. Of a folder the driver says what it is. */
async function special(fs: Asked, path: string): Promise<string | null> {
  const about = await fs.stat(path).catch(() => null)
  if (about === null || about.isFile() || about.isDirectory()) return null
  return `${path} is a pipe, a socket or a device, where a file should be`
}

/** Says why a path cannot be used; null also when it is not there. */
async function refusal(fs: Asked, path: string, verb: Verb): Promise<string | null> {
  const code = await codeOf(fs.access(path, modes[verb]))
  if (code === 'EROFS')
    return `${path} is on a file system that is mounted read-only: mount one there that can be written`
  if (code !== 'EACCES') return null
  const about = await fs.stat(path).catch(() => null)
  if (about === null) return refusal(fs, dirname(path), 'enter')
  const uid = process.getuid?.()
  const mode = (about.mode & 0o7777).toString(8)
  const owner = `it belongs to uid ${about.uid}, group ${about.gid}, with mode ${mode}`
  return `uid ${uid}, group ${process.getgid?.()}, may not ${verb} ${path}: ${owner}. Give it to uid ${uid} (chown -R ${uid} ${path}), or run Livegate as uid ${about.uid} (docker run --user ${about.uid})`
}

async function codeOf(work: Promise<unknown>): Promise<string | null | undefined> {
  return work.then(
    () => null,
    (error: NodeJS.ErrnoException) => error.code
  )
}
