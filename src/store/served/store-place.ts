import { realpathSync, statSync } from 'node:fs'
import { StoreMoved } from '../engine/engine.ts'

/** The device and inode of a file, which are the same under each of its names; null when there is none. */
export function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return null
  }
}

/**
 * The files of one open database as they were when it was opened: its own, and the two that SQLite keeps beside it, which may have the
 * last commits. They stay open when somebody moves or removes them, and then nobody would find again what is written into them.
 */
export class StorePlace {
  readonly #file: string
  readonly #identity: string | null
  readonly #beside: string[]
  readonly #seen = new Map<string, string>()

  /** @param identity the file that must be there; by default the one that is there now */
  constructor(file: string, identity: string | null = identityOf(file)) {
    this.#file = file
    this.#identity = identity
    // SQLite resolves links once, when it opens the file.
    const path = identityOf(file) === null ? file : realpathSync(file)
    this.#beside = [`${path}-wal`, `${path}-shm`]
    this.#demandFile()
  }

  /** @throws StoreMoved when one of them is not there, or is another one */
  demand(): void {
    this.#demandFile()
    for (const path of this.#beside) {
      const before = this.#seen.get(path)
      const now = identityOf(path)
      // SQLite makes them at the first use, and keeps them while somebody has the database open.
      if (before !== undefined && now !== before) throw moved(path, now)
      if (now !== null) this.#seen.set(path, now)
    }
  }

  #demandFile(): void {
    const now = identityOf(this.#file)
    if (now === null || now !== this.#identity) throw moved(this.#file, now)
  }
}

function moved(path: string, now: string | null): StoreMoved {
  const how = now === null ? 'is not there any more' : 'is another file now'
  return new StoreMoved(`${path} ${how}, while it is in use: put the one of before back, or start the gateway anew`)
}
