import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Priority, Upstreams } from '../../upstream/provider.ts'
import { type FruitlessStops, WearingOff } from './stop-pace.ts'

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
