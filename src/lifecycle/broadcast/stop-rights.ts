import { LRUCache } from 'lru-cache'
import { isRunning } from '../../domain/livestream.ts'
import { type OwnedMeeting, placeOf } from '../../domain/meeting.ts'
import {
  Failure,
  isOneOf,
  UpstreamBudgetExhausted,
  UpstreamThrottled,
  UpstreamUnavailable
} from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Lane, Upstreams } from '../../upstream/provider.ts'

/** After a stop that had nothing to stop: the next ones of that meeting may not use what is kept for stops. */
const fruitlessForMs = 10_000
const fruitlessTimes = 5
/** Fruitless stops of one tenant, in all its meetings: beyond so many it stops what is known to be live with all rights, and all else like any mutation. */
const fruitlessPerMinute = 20
/** The part of the vendor's quota that is kept for stops (`budget.ts`), and what one tenant's failing stops may have of it. */
const stopReserve = 0.05
const failingShare = 0.5
/** So many meetings, and tenants, are remembered. */
const maxRemembered = 10_000

export interface StopRightsDeps {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastOfMeeting'>
  clock: Pick<Clock, 'monotonic'>
}

/**
 * Which part of the vendor's quota a stop may use. Nothing holds back the stop of a meeting that may be live. A loop of stops that
 * had nothing to stop, or that all fail, has the rights of any other mutation: else it would empty what is kept for the others' stops.
 */
export class StopRights {
  readonly #deps: StopRightsDeps
  /** Meetings whose last stops had nothing to stop, as far as is known. */
  readonly #fruitless = new LRUCache<string, { times: number; lastAtMs: number }>(upTo(maxRemembered))
  readonly #loops: WearingOff
  readonly #failing: WearingOff
  /** Stops with all rights that are under way, by tenant and upstream. */
  readonly #underWay = new Map<string, number>()

  constructor(deps: StopRightsDeps) {
    this.#deps = deps
    this.#loops = new WearingOff(deps.clock)
    this.#failing = new WearingOff(deps.clock)
  }

  /** The lane of the quota for the next stop of this meeting. Never throws. */
  async laneOf(meeting: OwnedMeeting): Promise<Lane> {
    if (this.laneDuringStart(meeting) === 'mutation') return 'mutation'
    const { times = 0, lastAtMs = 0 } = this.#fruitless.get(placeOf(meeting)) ?? {}
    const isRecent = this.#deps.clock.monotonic() - lastAtMs < fruitlessForMs
    return (times >= fruitlessTimes && isRecent) || (await this.#isPartOfLoop(meeting)) ? 'mutation' : 'stop'
  }

  /** While a start is open something may be live, whatever the last stops came to. */
  laneDuringStart(meeting: OwnedMeeting): Lane {
    return this.#hasFailedTooOften(meeting) ? 'mutation' : 'stop'
  }

  /** Sends a stop in that lane, and counts it meanwhile: one tenant's stops may have half of what is kept for stops at a time. */
  async during<T>(meeting: OwnedMeeting, lane: Lane, work: (lane: Lane) => Promise<T>): Promise<T> {
    const key = keyOf(meeting)
    const underWay = this.#underWay.get(key) ?? 0
    if (lane !== 'stop' || underWay >= this.#failingLimit(meeting).most) return work('mutation')
    this.#underWay.set(key, underWay + 1)
    try {
      return await work(lane)
    } finally {
      const left = (this.#underWay.get(key) ?? 1) - 1
      if (left > 0) this.#underWay.set(key, left)
      else this.#underWay.delete(key)
    }
  }

  /**
   * A stop had nothing to stop, as far as is known. One that the vendor calls a success (`stopped`) may have stopped a run that
   * Livegate never saw, but hardly several times in a row.
   */
  noteFruitless(meeting: OwnedMeeting, stopped: boolean): void {
    this.#loops.add(meeting.tenantId, 1, fruitlessPerMinute)
    const place = placeOf(meeting)
    const times = stopped ? (this.#fruitless.get(place)?.times ?? 0) + 1 : fruitlessTimes
    this.#fruitless.set(place, { times, lastAtMs: this.#deps.clock.monotonic() })
  }

  /** It had something to stop, or something was sent that may be stopped. */
  noteLive(meeting: OwnedMeeting): void {
    this.#fruitless.delete(placeOf(meeting))
  }

  /** So many calls to the vendor, of a stop and its look, have failed. @param why when that may be that none was sent */
  noteFailed(meeting: OwnedMeeting, calls: number, why?: unknown): void {
    if (isHeldBack(why)) return
    const { most, perMinute } = this.#failingLimit(meeting)
    if (most > 0) this.#failing.add(keyOf(meeting), calls, perMinute)
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

  /** A loop over many meetings would empty the vendor's quota as well: each of them has had no fruitless stop yet. */
  async #isPartOfLoop(meeting: OwnedMeeting): Promise<boolean> {
    if (this.#loops.count(meeting.tenantId, fruitlessPerMinute) < fruitlessPerMinute) return false
    const last = await this.#deps.livestreams.lastOfMeeting(meeting).catch(() => undefined)
    return last === null || (last !== undefined && !isRunning(last.status))
  }
}

/** Nothing was sent, since quota or breaker did not let it. */
function isHeldBack(error: unknown): boolean {
  if (!(error instanceof Failure)) return false
  const isOurs = isOneOf(error, UpstreamBudgetExhausted, UpstreamThrottled, UpstreamUnavailable)
  return isOurs && error.upstreamStatus === undefined
}

/** One key for both. No tenant id has a slash. */
function keyOf({ tenantId, upstream }: OwnedMeeting): string {
  return `${tenantId}/${upstream}`
}

/** Counts by key that wear off evenly, by `perMinute` each minute. */
class WearingOff {
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
