import { LRUCache } from 'lru-cache'
import { likelySpelling } from '../../domain/id.ts'
import { upTo } from '../../domain/values/cache-size.ts'

interface Sources<Thing> {
  /** Asks the store; null when it doesn't exist or is not the tenant's. */
  find(tenantId: string, id: string): Promise<Thing | null>
  maxIds: number
}

/**
 * Remembers whose an id is, however its letters are written (`spelling.ts`), for as many ids as `maxIds`. Only owners are remembered: somebody else's id and an id that
 * doesn't exist ask the store each time, so that they take the same way and the same time whatever the owner does.
 */
export class OwnedCache<Thing extends { readonly tenantId: string }> {
  readonly #find: Sources<Thing>['find']
  readonly #owned: LRUCache<string, Thing>
  /** Ids that are being asked for, and how often their rows have changed meanwhile. */
  readonly #asked = new Map<string, { readers: number; changes: number }>()

  constructor({ find, maxIds }: Sources<Thing>) {
    this.#find = find
    this.#owned = new LRUCache(upTo(maxIds))
  }

  async find(tenantId: string, id: string): Promise<Thing | null> {
    const key = likelySpelling(id)
    const known = this.#owned.get(key)
    if (known?.tenantId === tenantId) return known
    const asked = this.#asked.get(key) ?? { readers: 0, changes: 0 }
    this.#asked.set(key, asked)
    asked.readers += 1
    try {
      for (;;) {
        const { changes } = asked
        const found = await this.#find(tenantId, id)
        // A row that was read while it changed may be older than the change.
        if (changes !== asked.changes) continue
        if (found !== null) this.#owned.set(key, found)
        return found
      }
    } finally {
      asked.readers -= 1
      if (asked.readers === 0) this.#asked.delete(key)
    }
  }

  /** The thing as it is remembered, whosever it is; undefined when it is not. Asks nobody. */
  remembered(id: string): Thing | undefined {
    return this.#owned.get(likelySpelling(id))
  }

  /** Remembers what was read before the first call. */
  fill(id: string, thing: Thing): void {
    this.#owned.set(likelySpelling(id), thing)
  }

  /** Forgets an id, since its row has changed. */
  changed(id: string): void {
    const key = likelySpelling(id)
    const asked = this.#asked.get(key)
    if (asked !== undefined) asked.changes += 1
    this.#owned.delete(key)
  }
}
