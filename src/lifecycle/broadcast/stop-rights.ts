import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import { isRunning, type Livestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Priority, Upstreams } from '../../upstream/provider.ts'
import type { OwnStarts, SentStart } from '../running/own-actions.ts'

/** The part of the vendor's quota that is kept for stops (`budget.ts`), and what one tenant's failing stops may have of it. */
const stopReserve = 0.05
const failingShare = 0.5

export interface StopRightsDeps {
  upstreams: Upstreams
  fruitlessStops: Pick<FruitlessStops, 'isLoop'>
  clock: Pick<Clock, 'monotonic'>
}

/**
 * Decides which part of the vendor's quota a stop may use. Nothing holds back the stop of a meeting that may be live. A loop of
 * stops that had nothing to stop, or that all fail, has the rights of any other mutation. Otherwise it would empty what is kept
 * for the others' stops.
 */
export class StopRights {
  readonly #deps: StopRightsDeps
  readonly #failing: WearingOff
  /** Stops with all rights that are under way, by tenant and upstream. */
  readonly #underWay = new Map<string, number>()

  constructor(deps: StopRightsDeps) {
    this.#deps = deps
    this.#failing = new WearingOff(deps.clock)
  }

  /** The priority of the next stop of this meeting. Never throws. */
  async priorityOf(meeting: OwnedMeeting): Promise<Priority> {
    if (this.priorityDuringStart(meeting) === 'mutation') return 'mutation'
    return (await this.#deps.fruitlessStops.isLoop(meeting)) ? 'mutation' : 'stop'
  }

  /** While a start is open something may be live, whatever the last stops came to. */
  priorityDuringStart(meeting: OwnedMeeting): Priority {
    return this.#hasFailedTooOften(meeting) ? 'mutation' : 'stop'
  }

  /** Sends a stop with that priority, and counts it meanwhile: one tenant's stops may have half of what is kept for stops at a time. */
  async during<T>(meeting: OwnedMeeting, priority: Priority, work: (priority: Priority) => Promise<T>): Promise<T> {
    const key = keyOf(meeting)
    const underWay = this.#underWay.get(key) ?? 0
    if (priority !== 'stop' || underWay >= this.#failingLimit(meeting).most) return work('mutation')
    this.#underWay.set(key, underWay + 1)
    try {
      return await work(priority)
    } finally {
      const left = (this.#underWay.get(key) ?? 1) - 1
      if (left > 0) this.#underWay.set(key, left)
      else this.#underWay.delete(key)
    }
  }

  /** A stop and its looks have come to nothing. @param calls as many as went out to the vendor; none where quota or breaker held them back */
  noteFailed(meeting: OwnedMeeting, calls: number): void {
    const { most, perMinute } = this.#failingLimit(meeting)
    if (most > 0 && calls > 0) this.#failing.add(keyOf(meeting), calls, perMinute)
  }

  #hasFailedTooOften(meeting: OwnedMeeting): boolean {
    const { most, perMinute } = this.#failingLimit(meeting)
    return this.#failing.count(keyOf(meeting), perMinute) >= most
  }

  #failingLimit({ upstream }: OwnedMeeting): { most: number; perMinute: number } {
    const budget = this.#deps.upstreams.get(upstream)?.status().budget
    if (budget === undefined) return { most: Number.POSITIVE_INFINITY, perMinute: 0 }
    const most = Math.max(1, budget.quota * stopReserve * failingShare)
    return { most, perMinute: (most / budget.windowMs) * 60_000 }
  }
}

/** One key for both. No tenant id has a slash. */
function keyOf({ tenantId, upstream }: OwnedMeeting): string {
  return `${tenantId}/${upstream}`
}

/** After a stop that had nothing to stop: the next ones of that meeting may not use what is kept for stops. */
const fruitlessForMs = 10_000
const fruitlessTimes = 5
/** Fruitless stops of one tenant, in all its meetings: beyond so many it stops what is known to be live with all rights, and all else like any mutation. */
const fruitlessPerMinute = 20
/** So many meetings or tenants are remembered. */
const maxRemembered = 10_000

/** Fruitless stops of a meeting in a row. */
interface Fruitless {
  times: number
  lastAtMs: number
  /** The start that they have followed: another one may be stopped. */
  after: SentStart | undefined
}

export interface FruitlessStopsDeps {
  livestreams: Pick<Livestreams, 'lastOfMeeting'>
  ownStarts: Pick<OwnStarts, 'last'>
  clock: Pick<Clock, 'monotonic'>
}

/** The account of stops that had nothing to stop, as far as is known: a loop of them may not use what is kept for stops. */
export class FruitlessStops {
  readonly #deps: FruitlessStopsDeps
  readonly #ofMeetings = new LRUCache<string, Fruitless>(upTo(maxRemembered))
  readonly #ofTenants: WearingOff

  constructor(deps: FruitlessStopsDeps) {
    this.#deps = deps
    this.#ofTenants = new WearingOff(deps.clock)
  }

  /**
   * Takes a stop into account, and says whether it was fruitless. A vendor may call it a success to stop nothing: such a stop
   * may have ended a run that Livegate never saw, but hardly several times in a row.
   * @param last the run of the meeting that was seen last
   */
  account(meeting: OwnedMeeting, isConfirmed: boolean, last: Livestream | null): boolean {
    const place = placeOf(meeting)
    if (isConfirmed && last !== null && isRunning(last.status)) {
      this.#ofMeetings.delete(place)
      return false
    }
    this.#ofTenants.add(meeting.tenantId, 1, fruitlessPerMinute)
    const { ownStarts, clock } = this.#deps
    const times = isConfirmed ? (this.#lastOf(meeting)?.times ?? 0) + 1 : fruitlessTimes
    this.#ofMeetings.set(place, { times, lastAtMs: clock.monotonic(), after: ownStarts.last(meeting) })
    return true
  }

  /** Whether the next stop of this meeting would be one of a loop. Never throws. */
  async isLoop(meeting: OwnedMeeting): Promise<boolean> {
    const { times = 0, lastAtMs = 0 } = this.#lastOf(meeting) ?? {}
    const isRecent = this.#deps.clock.monotonic() - lastAtMs < fruitlessForMs
    return (times >= fruitlessTimes && isRecent) || this.#isPartOfLoop(meeting)
  }

  #lastOf(meeting: OwnedMeeting): Fruitless | undefined {
    const last = this.#ofMeetings.get(placeOf(meeting))
    return last?.after === this.#deps.ownStarts.last(meeting) ? last : undefined
  }

  /** A loop over many meetings would empty the vendor's quota as well: each of them has had no fruitless stop yet. */
  async #isPartOfLoop(meeting: OwnedMeeting): Promise<boolean> {
    if (this.#ofTenants.count(meeting.tenantId, fruitlessPerMinute) < fruitlessPerMinute) return false
    const last = await this.#deps.livestreams.lastOfMeeting(meeting).catch(() => undefined)
    return last === null || (last !== undefined && !isRunning(last.status))
  }
}

/** Counts by key that wear off evenly, by `perMinute` each minute. */
export class WearingOff {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #counts = new LRUCache<string, { count: number; atMs: number }>(upTo(maxRemembered))

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  count(key: string, perMinute: number): number {
    const { count, atMs } = this.#counts.get(key) ?? { count: 0, atMs: 0 }
    return Math.max(0, count - ((this.#clock.monotonic() - atMs) / 60_000) * perMinute)
  }

  add(key: string, by: number, perMinute: number): void {
    this.#counts.set(key, { count: this.count(key, perMinute) + by, atMs: this.#clock.monotonic() })
  }
}
