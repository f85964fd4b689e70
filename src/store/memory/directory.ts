import { LRUCache } from 'lru-cache'
import type { ApiKey } from '../../domain/api-key.ts'
import { likelySpelling } from '../../domain/id.ts'
import type { OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { OwnedRun, OwnedSession } from '../../domain/session.ts'
import type { Tenant } from '../../domain/tenant.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import { StoreMoved } from '../engine/engine.ts'
import type { Store } from '../store.ts'
import { apiKeysIn } from '../tables/api-keys.ts'
import { livestreamsIn } from '../tables/livestreams.ts'
import { meetingsIn } from '../tables/meetings.ts'
import { sessionsIn } from '../tables/sessions.ts'
import { tenantsIn } from '../tables/tenants.ts'

/**
 * The memory that follows the store, so that nothing on the path of a read waits for it: all tenants and keys, and who owns
 * which meeting and livestream for as many as were asked for lately. It follows by revision: whatever process has written,
 * `pull()` brings it here.
 */
export interface Directory {
  tenant(id: string): Tenant | null
  /** How many tenants there are. */
  readonly tenants: number
  /** By the digest of the whole key (`digestKey`). An unknown key never touches the store. */
  keyByDigest(digest: string): ApiKey | null
  /** The id may be a UUID in any case; what is given has it as the vendor wrote it. So of the three below. */
  meeting(tenantId: string, id: string): Promise<OwnedMeeting | null>
  livestream(tenantId: string, id: string): Promise<OwnedLivestream | null>
  /** Runs and sessions that were shown to the tenant; whose livestream or meeting it is now, is for the two above to say. */
  run(tenantId: string, id: string): Promise<OwnedRun | null>
  session(tenantId: string, id: string): Promise<OwnedSession | null>
  /** Owner and place of an id as far as memory knows; undefined when it doesn't. The id is as the vendor wrote it; the store is not asked. */
  readonly remembered: Record<
    'meeting' | 'livestream',
    (id: string) => Pick<OwnedMeeting, 'tenantId' | 'upstream'> | undefined
  >
  /** Forgets what is known of an id, after this process has written its row; `pull()` does it for what others write. */
  forget(id: string): void
  /** Calls back when a command may have left work in the store (`leaveWork`). Gives back what ends it. */
  onWorkLeft(listener: () => void): () => void
  /** Brings what has changed before this call. Calls that wait for the one under way share the next. @throws StoreError, StoreMoved */
  pull(): Promise<void>
  /** Time of the last read of the store, on the monotonic clock: after a minute without, revoked keys could live on. */
  readonly pulledAtMs: number
  /** True when the store was moved away, removed or replaced: changes of others do not come here, and nothing is written. */
  readonly moved: boolean
}

const maxOwnedIds = 50_000

/** @throws StoreError when the store can't be read: a gateway that knows no keys must not start */
export async function openDirectory(store: Store, { monotonic }: Pick<Clock, 'monotonic'>): Promise<Directory> {
  const stored = {
    tenants: tenantsIn(store),
    keys: apiKeysIn(store),
    meetings: meetingsIn(store),
    livestreams: livestreamsIn(store)
  }
  const sessions = sessionsIn(store)
  const tenants = new Map<string, Tenant>()
  const keys = new Map<string, ApiKey>()
  const meetings = new OwnedCache({ find: stored.meetings.find, maxIds: maxOwnedIds })
  const livestreams = new OwnedCache({ find: stored.livestreams.find, maxIds: maxOwnedIds })
  // Nothing that is remembered of them ever changes but their holder, and that is asked besides.
  const runs = new OwnedCache({ find: sessions.findRun, maxIds: maxOwnedIds })
  const meetingSessions = new OwnedCache({ find: sessions.findSession, maxIds: maxOwnedIds })
  // Rows from before the start are read when they are asked for: only later changes are followed.
  const begin = (await countersOf(store)).revision ?? 0
  const revision = { tenants: 0, keys: 0, meetings: begin, livestreams: begin }
  let last: Counters = { revision: null, workLeft: null }
  const listeners = new Set<() => void>()
  let pulledAtMs = Number.NEGATIVE_INFINITY
  let moved = false
  let pulling: Promise<void> | null = null
  let next: Promise<void> | null = null

  async function pull(): Promise<void> {
    const startedAtMs = monotonic()
    // Changes in a file that has taken its place cannot be seen here, so nothing counts as read then.
    const [, now] = await Promise.all([checkPlace(), countersOf(store)])
    // A change after that look has a higher revision, and is for the next pull.
    if (now.revision === null || now.revision !== last.revision) await follow()
    const isWorkLeft = now.workLeft !== last.workLeft && last.workLeft !== null
    last = now
    pulledAtMs = startedAtMs
    if (isWorkLeft) for (const listener of listeners) listener()
  }

  async function follow(): Promise<void> {
    const [changedTenants, changedKeys, changedMeetings, changedLivestreams] = await Promise.all([
      stored.tenants.changedSince(revision.tenants),
      stored.keys.changedSince(revision.keys),
      stored.meetings.changedSince(revision.meetings),
      stored.livestreams.changedSince(revision.livestreams)
    ])
    for (const { tenant } of changedTenants) tenants.set(tenant.id, tenant)
    for (const { key } of changedKeys) keys.set(key.digest, key)
    for (const { id } of changedMeetings) meetings.changed(id)
    for (const { id } of changedLivestreams) livestreams.changed(id)
    revision.tenants = changedTenants.at(-1)?.revision ?? revision.tenants
    revision.keys = changedKeys.at(-1)?.revision ?? revision.keys
    revision.meetings = changedMeetings.at(-1)?.revision ?? revision.meetings
    revision.livestreams = changedLivestreams.at(-1)?.revision ?? revision.livestreams
  }

  async function checkPlace(): Promise<void> {
    try {
      await store.engine.check()
      moved = false
    } catch (error) {
      moved = error instanceof StoreMoved
      throw error
    }
  }

  const directory: Directory = {
    tenant: id => tenants.get(id) ?? null,
    get tenants() {
      return tenants.size
    },
    keyByDigest: digest => keys.get(digest) ?? null,
    meeting: (tenantId, id) => meetings.find(tenantId, id),
    livestream: (tenantId, id) => livestreams.find(tenantId, id),
    run: (tenantId, id) => runs.find(tenantId, id),
    session: (tenantId, id) => meetingSessions.find(tenantId, id),
    remembered: {
      meeting: id => meetings.remembered(id),
      livestream: id => livestreams.remembered(id)
    },
    forget(id) {
      meetings.changed(id)
      livestreams.changed(id)
    },
    onWorkLeft(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    pull() {
      if (pulling === null) {
        pulling = pull().finally(() => {
          pulling = null
        })
        return pulling
      }
      // The read under way may have begun before this call.
      next ??= pulling
        .catch(() => {})
        .then(() => {
          next = null
          return directory.pull()
        })
      return next
    },
    get pulledAtMs() {
      return pulledAtMs
    },
    get moved() {
      return moved
    }
  }
  await directory.pull()
  // Remembered so that a stop needs no store: the meetings that may be live are most likely among these.
  for (const meeting of (await stored.meetings.newest(maxOwnedIds)).reverse()) meetings.fill(meeting.id, meeting)
  return directory
}

/** Changes made by other processes (a revoked key) act within this time. */
const pullEveryMs = 1_000

/** Keeps a directory up to date. Gives back what ends it. */
export function followStore(directory: Directory, onTrouble: (error: unknown) => void): () => void {
  const loop = new Loop({ round: () => directory.pull(), everyMs: pullEveryMs, onTrouble }).start()
  // A store that hangs holds up no end.
  return () => void loop.close()
}

/** The two numbers that say whether anything is to be read: null where the store has none. */
interface Counters {
  revision: number | null
  workLeft: number | null
}

async function countersOf({ engine, sql }: Store): Promise<Counters> {
  const query = sql.selectFrom('meta').selectAll().where('name', 'in', ['revision', 'work_left'])
  const rows = await engine.read(query.compile())
  const values = new Map(rows.map(({ name, value }) => [name, Number(value)]))
  return { revision: values.get('revision') ?? null, workLeft: values.get('work_left') ?? null }
}

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
