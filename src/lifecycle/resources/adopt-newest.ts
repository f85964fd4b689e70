import type { Clock } from '../../domain/values/clock.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { Deadline } from '../context.ts'

export interface NewestDeps {
  /** The names of the upstreams that are dedicated to the tenant. */
  ownOf(tenantId: string): string[]
  upstreams: Upstreams
  /** How many of the meetings were nobody's, and are the tenant's now. */
  take(tenantId: string, upstream: string, ids: string[]): Promise<number>
  clock: Clock
  deadline: Deadline
}

/** A list asks the vendor this often at most, and for so many pages. */
const everyMs = 60_000
const pages = 8
const perPage = 25
/** Behind the last page. */
const end = Number.POSITIVE_INFINITY

/** Makes the newest meetings of the tenant's own upstreams known, and each time some older ones, until all are. */
export function adoptNewest({ ownOf, upstreams, take, clock, deadline }: NewestDeps) {
  /** When the newest were looked for, by upstream, and which page of the older ones comes next. */
  const seen = new Map<string, { atMs: number; next: number }>()

  return async (tenantId: string): Promise<void> => {
    for (const name of ownOf(tenantId)) {
      const nowMs = clock.monotonic()
      const before = seen.get(name) ?? { atMs: Number.NEGATIVE_INFINITY, next: 2 }
      if (nowMs - before.atMs < everyMs) continue
      seen.set(name, { ...before, atMs: nowMs })
      const signal = deadline()
      const takePage = async (pageNo: number) => {
        const vendor = upstreams.get(name)?.on({ tenantId, priority: 'read' })
        const ids = (await vendor?.findMeetings({ pageNo, perPage }, signal))?.map(({ id }) => id) ?? []
        return { shown: ids.length, taken: ids.length === 0 ? 0 : await take(tenantId, name, ids) }
      }
      const first = await takePage(1)
      // A page of nothing but new ones: what was behind it has moved.
      let { next } = first.shown > 0 && first.taken === first.shown ? { next: 2 } : before
      for (let i = 1; i < pages && next !== end; i++) next = (await takePage(next)).shown === 0 ? end : next + 1
      seen.set(name, { atMs: nowMs, next })
    }
  }
}
