import { Loop } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { RunEventRows, StoredRunEvent } from '../../store/tables/runs/run-events.ts'
import type { RunChanges } from '../ledger/hub.ts'

export interface EventFeedDeps {
  hub: RunChanges
  events: Pick<RunEventRows, 'after' | 'newest' | 'firstSeq' | 'lastSeq'>
  log: { error(facts: object, message: string): void }
  /** Pause between two looks into the store when nothing is told by the hub: another process may have written. */
  pollMs?: number
  /** Recent events that are kept in memory, at least (1,000). */
  keep?: number
}

/** Somebody who is told of the events of a tenant. */
export interface Reader {
  readonly tenantId: string
  /** Those of these meetings alone; null: of all. */
  readonly meetingIds: ReadonlySet<string> | null
  /** False while it has not taken what it was given: then it is given nothing from the past. `whenReady` calls back once. */
  isReady(): boolean
  whenReady(callback: () => void): void
  take(events: readonly StoredRunEvent[]): void
}

/** A place in the order of events. */
export interface Position {
  /** Events after it are yet to be told. */
  readonly seq: number
  /** False when events may be missing before it. */
  readonly isComplete: boolean
}

/** A reader that was let in. */
export interface Joined {
  /** The number up to which it was told everything; null while it reads the past. */
  toldUpTo(): number | null
  leave(): void
}

/** A reader, and the number up to which it was told everything. Of one who is up to date it is that of its beginning. */
interface Place {
  readonly reader: Reader
  seq: number
}

const usualKeep = 1_000
const pageSize = 500
/** Events from the past that a reader is given at once. */
const latePageSize = 100

/**
 * Tells readers of events, from the rows alone: the hub is a reason to look. One query serves all readers who are up to date, of all
 * tenants. Those who come back are told the past in pages, from memory or by one query for all of a tenant. Nothing is asked while nobody reads.
 */
export class EventFeed {
  readonly #deps: EventFeedDeps
  readonly #loop: Loop
  readonly #live = new Map<string, Set<Place>>()
  readonly #late = new Map<string, Set<Place>>()
  readonly #readingPast = new Set<string>()
  #readers = 0
  #beginning: Promise<void> | null = null
  #unsubscribe = (): void => {}
  /** All events up to it were told to those who are up to date. */
  #seq = 0
  /** All events after `#recentFrom`, up to `#seq`. */
  #recent: StoredRunEvent[] = []
  #recentFrom = 0

  constructor(deps: EventFeedDeps) {
    this.#deps = deps
    const { pollMs = 1_000, log } = deps
    const onTrouble = tellTrouble(log, 'error', { event: 'run_events_unreadable' }, 'the events of runs cannot be read')
    this.#loop = new Loop({ round: () => this.#round(), everyMs: pollMs, onTrouble })
  }

  start(): this {
    this.#loop.start()
    return this
  }

  /**
   * Place of a reader who has seen the events up to this id, or who wants those from now on (null). An id that was never given is of
   * another store, or of one that was put back: then it is told from now on. @throws StoreError
   */
  async positionAfter(lastId: number | null): Promise<Position> {
    if (this.#readers === 0) {
      this.#beginning ??= this.#begin().finally(() => {
        this.#beginning = null
      })
      await this.#beginning
    }
    if (lastId === null) return { seq: this.#seq, isComplete: true }
    if (lastId >= this.#recentFrom && lastId <= this.#seq) return { seq: lastId, isComplete: true }
    const { events } = this.#deps
    const [first, last] = await Promise.all([events.firstSeq(), events.lastSeq()])
    if (lastId > Math.max(last, this.#seq)) return { seq: this.#seq, isComplete: false }
    const kept = first ?? last + 1
    return { seq: lastId, isComplete: lastId >= kept - 1 }
  }

  /** Tells it of all events after that place, until it leaves. */
  join(reader: Reader, seq: number): Joined {
    if (this.#readers === 0)
      this.#unsubscribe = this.#deps.hub.subscribe(changes => {
        if (changes.some(({ events }) => events.length > 0)) this.#loop.wake()
      })
    this.#readers += 1
    const { tenantId } = reader
    const place = { reader, seq }
    if (!this.#goLive(place)) {
      setOf(this.#late, tenantId).add(place)
      void this.#readPast(tenantId)
    }
    return {
      toldUpTo: () => (this.#live.get(tenantId)?.has(place) ? this.#seq : null),
      leave: () => {
        const isThere = remove(this.#live, tenantId, place) || remove(this.#late, tenantId, place)
        if (!isThere) return
        this.#readers -= 1
        if (this.#readers === 0) this.#unsubscribe()
      }
    }
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#loop.close()
  }

  /** Nobody has read until now. Those who come back after a start of the gateway are many: most are told from memory. */
  async #begin(): Promise<void> {
    const { events, keep = usualKeep } = this.#deps
    const last = await events.lastSeq()
    const recent = await events.newest(keep)
    if (this.#readers > 0) return
    this.#recent = recent
    this.#seq = Math.max(last, recent.at(-1)?.seq ?? 0)
    this.#recentFrom = recent[0] === undefined ? this.#seq : recent[0].seq - 1
  }

  async #round(): Promise<void> {
    if (this.#readers === 0) return
    for (;;) {
      const page = await this.#deps.events.after(this.#seq, { limit: pageSize })
      this.#tell(page)
      if (page.length < pageSize) break
    }
    // One that the store has failed.
    for (const tenantId of this.#late.keys()) void this.#readPast(tenantId)
  }

  #tell(page: readonly StoredRunEvent[]): void {
    this.#seq = page.at(-1)?.seq ?? this.#seq
    this.#remember(page)
    for (const [tenantId, events] of Map.groupBy(page, event => event.tenantId)) {
      for (const place of [...(this.#live.get(tenantId) ?? [])]) give(place, events)
    }
  }

  #remember(page: readonly StoredRunEvent[]): void {
    const { keep = usualKeep } = this.#deps
    this.#recent.push(...page)
    if (this.#recent.length <= 2 * keep) return
    this.#recentFrom = this.#recent.at(-keep - 1)?.seq ?? this.#recentFrom
    this.#recent = this.#recent.slice(-keep)
  }

  /** Gives it what it lacks, when memory has all of that, and it is not too much at once. From then on it is up to date. */
  #goLive(place: Place): boolean {
    if (place.seq < this.#recentFrom) return false
    const { tenantId } = place.reader
    const missed = this.#recentAfter(place.seq, tenantId)
    if (missed.length > latePageSize) return false
    // First, so that it may leave while it is given something.
    setOf(this.#live, tenantId).add(place)
    give(place, missed)
    place.seq = Math.max(place.seq, this.#seq)
    return true
  }

  /** Events of a tenant behind that number that memory has. */
  #recentAfter(seq: number, tenantId: string): StoredRunEvent[] {
    if (seq >= this.#seq) return []
    return this.#recent.filter(event => event.seq > seq && event.tenantId === tenantId)
  }

  /** Reads for all readers of a tenant who are behind and can take something, those who are furthest behind first. */
  async #readPast(tenantId: string): Promise<void> {
    if (this.#readingPast.has(tenantId)) return
    this.#readingPast.add(tenantId)
    try {
      for (;;) {
        const ready = [...(this.#late.get(tenantId) ?? [])].filter(({ reader }) => reader.isReady())
        if (ready.length === 0) return
        await this.#readPage(tenantId, ready)
      }
    } catch (err) {
      this.#deps.log.error({ event: 'run_events_unreadable', err }, 'events of runs from before cannot be read')
    } finally {
      this.#readingPast.delete(tenantId)
    }
  }

  async #readPage(tenantId: string, ready: readonly Place[]): Promise<void> {
    const from = ready.reduce((least, { seq }) => Math.min(least, seq), Number.POSITIVE_INFINITY)
    // The page may lack events that are committed while it is read.
    const before = this.#seq
    const page =
      from >= this.#recentFrom
        ? this.#recentAfter(from, tenantId).slice(0, latePageSize)
        : await this.#deps.events.after(from, { tenantId, limit: latePageSize })
    const isAll = page.length < latePageSize
    const upTo = Math.max(page.at(-1)?.seq ?? from, isAll ? before : from)
    const isLate = (place: Place): boolean => this.#late.get(tenantId)?.has(place) ?? false
    for (const place of ready) {
      if (!isLate(place) || place.seq >= upTo) continue
      give(place, page)
      place.seq = upTo
      if (!isLate(place)) continue
      if (this.#goLive(place)) remove(this.#late, tenantId, place)
      else if (!place.reader.isReady()) place.reader.whenReady(() => void this.#readPast(tenantId))
    }
  }
}

function give({ reader, seq }: Place, events: readonly StoredRunEvent[]): void {
  const { meetingIds } = reader
  const isWanted = ({ meetingId }: StoredRunEvent) =>
    meetingIds === null || (meetingId !== null && meetingIds.has(meetingId))
  const wanted = events.filter(event => event.seq > seq && isWanted(event))
  if (wanted.length > 0) reader.take(wanted)
}

function setOf<Member>(sets: Map<string, Set<Member>>, key: string): Set<Member> {
  const set = sets.get(key) ?? new Set<Member>()
  sets.set(key, set)
  return set
}

/** @returns whether it was there */
function remove<Member>(sets: Map<string, Set<Member>>, key: string, member: Member): boolean {
  const set = sets.get(key)
  const isThere = set?.delete(member) ?? false
  if (set?.size === 0) sets.delete(key)
  return isThere
}
