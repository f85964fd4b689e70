import { realpathSync, statSync } from 'node:fs'
import { StoreMoved } from '../engine/engine.ts'

/** The device and inode of a file, which are the same under each of its names; null when there is none. */
export function identityOf(path: string): string | null {
  return look(path)?.identity ?? null
}

function look(path: string): { identity: string; size: bigint } | null {
  try {
    const { dev, ino, size } = statSync(path, { bigint: true })
    return { identity: `${dev}:${ino}`, size }
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
  /** The largest size that was seen. SQLite never makes the file of a store smaller. */
  #size = 0n
  #isWrittenOver = false

  /** @param identity the file that must be there; by default the one that is there now */
  constructor(file: string, identity: string | null = identityOf(file)) {
    this.#file = file
    this.#identity = identity
    // SQLite resolves links once, when it opens the file.
    const path = identityOf(file) === null ? file : realpathSync(file)
    this.#beside = [`${path}-wal`, `${path}-shm`]
    this.#demandFile()
  }

  /** @throws StoreMoved when one of them is not there, or is another one, or has been smaller than before */
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
    const { identity, size } = look(this.#file) ?? { identity: null, size: 0n }
    if (identity === null || identity !== this.#identity) throw moved(this.#file, identity)
    // SQLite itself would go on, with pages of both: what is in memory and in its log does not belong to this file.
    this.#isWrittenOver ||= size < this.#size
    if (this.#isWrittenOver) throw writtenOver(this.#file)
    this.#size = size
  }
}

function writtenOver(path: string): StoreMoved {
  return new StoreMoved(`${path} was written over, while it is in use: end the gateway, then put a backup in its place`)
}

function moved(path: string, now: string | null): StoreMoved {
  const how = now === null ? 'is not there any more' : 'is another file now'
  return new StoreMoved(`${path} ${how}, while it is in use: put the one of before back, or start the gateway anew`)
}
