import { LRUCache } from 'lru-cache'

interface Sources<Thing> {
  /** Asks the store; null when it doesn't exist or is not the tenant's. */
  find(tenantId: string, id: string): Promise<Thing | null>
  maxIds: number
}

/** More tenants than this asking for one id is guessing; their answers are not worth memory. */
const maxTenantsPerId = 16

/**
 * Remembers whose an id is, for as many ids as `maxIds`. It is asked by tenant *and* id, so that somebody else's id and an
 * id that doesn't exist take the same way and the same time.
 */
export class OwnedCache<Thing> {
  readonly #find: Sources<Thing>['find']
  readonly #answers: LRUCache<string, Map<string, Thing | null>>
  #changes = 0

  constructor({ find, maxIds }: Sources<Thing>) {
    this.#find = find
    this.#answers = new LRUCache({ max: maxIds })
  }

  async find(tenantId: string, id: string): Promise<Thing | null> {
    const known = this.#answers.get(id)?.get(tenantId)
    if (known !== undefined) return known
    for (;;) {
      const changes = this.#changes
      const found = await this.#find(tenantId, id)
      // What was read while something changed may be older than the change.
      if (changes !== this.#changes) continue
      this.#keep(tenantId, id, found)
      return found
    }
  }

  /** Forgets an id, since its row has changed. */
  changed(id: string): void {
    this.#changes++
    this.#answers.delete(id)
  }

  #keep(tenantId: string, id: string, found: Thing | null): void {
    let answers = this.#answers.get(id)
    if (answers === undefined || answers.size >= maxTenantsPerId) {
      answers = new Map()
      this.#answers.set(id, answers)
    }
    answers.set(tenantId, found)
  }
}
