import { mkdir, open, readFile, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StoreError, wordsOf } from './engine.ts'

/** Linux lists here what is mounted (proc(5)). Other systems have no such file. */
const mountInfo = '/proc/self/mountinfo'

/**
 * Makes the store's file and folder when they are not there, and not by the driver, so that nobody else on the machine can
 * read them.
 * @throws StoreError when they cannot be made or opened, or when the file is a mount of its own
 */
export async function makeFile(file: string, mounts = mountInfo): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await (await open(file, 'a', 0o600)).close()
    await refuseMount(file, mounts)
  } catch (cause) {
    if (cause instanceof StoreError) throw cause
    throw cannotOpen(file, cause)
  }
}

/** Names the file, since SQLite's own errors do not. */
export function cannotOpen(file: string, cause: unknown): StoreError {
  const reason = wordsOf(cause)
  const remedy = /not a database|malformed/.test(reason) ? ': correct DATABASE_URL, or put a backup in its place' : ''
  return new StoreError(`cannot open ${file}: ${reason}${remedy}`, { cause })
}

/**
 * A file that was mounted alone, as into a container, is the same in two places, and what SQLite keeps beside it is not: two
 * processes would write over each other, and a restart lose what was committed last.
 * @throws StoreError
 */
export async function refuseMount(file: string, mounts = mountInfo): Promise<void> {
  const text = await readFile(mounts, 'utf8').catch(() => '')
  if (!mountPoints(text).has(await realpath(file).catch(() => file))) return
  throw new StoreError(`${file} is a mount of its own: mount its folder, since SQLite keeps files beside it`)
}

/** The fifth field of each line; blanks in it are written as octal numbers. */
function mountPoints(text: string): Set<string> {
  const points = text.split('\n').map(line => line.split(' ')[4] ?? '')
  return new Set(
    points.map(point => point.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8))))
  )
}
