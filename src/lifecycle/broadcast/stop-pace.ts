import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import { isRunning, type Livestream } from '../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { OwnStarts, SentStart } from '../running/own-actions.ts'

interface Attempts {
  sentAtMs: number
  /** Attempts since the last one that the vendor has taken up. */
  failures: number
  /** The start that they have followed: after another one they count no more. */
  after: SentStart | undefined
}

/** Pauses between two attempts to stop one meeting, whatever the last came to: after each failure twice as long, up to the longest. */
const shortestMs = 1_000
const longestMs = 5_000
/** A stop that waits looks so often whether it is due. */
const lookAgainMs = 500
/** So many meetings are remembered; beyond them the tenants' other limits remain. */
const maxMeetings = 10_000

export interface StopPaceDeps {
  ownStarts: Pick<OwnStarts, 'last'>
  /** When each upstream has answered a look or a stop well, on the monotonic clock. */
  heardAtMs: Map<string, number>
  clock: Pick<Clock, 'monotonic'>
}

/**
 * Spaces the stops of each meeting, those of callers and the repeated ones together: attempts count, not successes. A loop of
 * stops can't spend the vendor's quota, least of all when each of them fails.
 */
export class StopPace {
  readonly #deps: StopPaceDeps
  readonly #attempts = new LRUCache<string, Attempts>(upTo(maxMeetings))

  constructor(deps: StopPaceDeps) {
    this.#deps = deps
  }

  /** Until the next attempt, in ms; 0 when it may go out. */
  waitMs(meeting: PlacedMeeting): number {
    const last = this.#lastOf(meeting)
    if (last === undefined) return 0
    const { heardAtMs, clock } = this.#deps
    const isWell = (heardAtMs.get(meeting.upstream) ?? Number.NEGATIVE_INFINITY) > last.sentAtMs
    const pauseMs = isWell ? shortestMs : Math.min(shortestMs * 2 ** last.failures, longestMs)
    return Math.max(0, last.sentAtMs + pauseMs - clock.monotonic())
  }

  /** Waits until the next attempt is due, which a start or a vendor that is well again makes sooner. True when it has waited. */
  async untilDue(meeting: PlacedMeeting): Promise<boolean> {
    let waitMs = this.waitMs(meeting)
    let sleptMs = 0
    while (sleptMs < waitMs) {
      const pauseMs = Math.min(waitMs - sleptMs, lookAgainMs)
      await sleep(pauseMs)
      sleptMs += pauseMs
      waitMs = Math.min(waitMs, sleptMs + this.waitMs(meeting))
    }
    return sleptMs > 0
  }

  /** An attempt goes out. Until it is known to be taken up it counts as a failure. */
  sent(meeting: PlacedMeeting): void {
    const { ownStarts, clock } = this.#deps
    const failures = this.#lastOf(meeting)?.failures ?? 0
    const after = ownStarts.last(meeting)
    this.#attempts.set(placeOf(meeting), { sentAtMs: clock.monotonic(), failures: failures + 1, after })
  }

  /** The vendor has taken the attempt up, or has shown that it has nothing to stop. */
  takenUp(meeting: PlacedMeeting): void {
    const last = this.#lastOf(meeting)
    if (last !== undefined) last.failures = 0
    this.#deps.heardAtMs.set(meeting.upstream, this.#deps.clock.monotonic())
  }

  /** The attempt has come to nothing, though the vendor has taken it up. */
  failed(meeting: PlacedMeeting): void {
    const last = this.#lastOf(meeting)
    if (last !== undefined) last.failures += 1
  }

  /** After a start the stop of this meeting is another matter, and does not wait. */
  #lastOf(meeting: PlacedMeeting): Attempts | undefined {
    const last = this.#attempts.get(placeOf(meeting))
    return last?.after === this.#deps.ownStarts.last(meeting) ? last : undefined
  }
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
