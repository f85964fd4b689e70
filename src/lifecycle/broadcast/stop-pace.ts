import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { type PlacedMeeting, placeOf } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'

interface Attempts {
  sentAtMs: number
  /** Attempts since the last one that the vendor has taken up. */
  failures: number
}

/** Pauses between two attempts to stop one meeting, whatever the last came to: after each failure twice as long, up to the longest. */
const shortestMs = 1_000
const longestMs = 5_000
/** A stop that waits looks so often whether it is due. */
const lookAgainMs = 500
/** So many meetings are remembered; beyond them the tenants' other limits remain. */
const maxMeetings = 10_000

/**
 * Spaces the stops of each meeting, those of callers and the repeated ones together: attempts count, not successes. A loop of
 * stops can't spend the vendor's quota, least of all when each of them fails.
 */
export class StopPace {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #attempts = new LRUCache<string, Attempts>(upTo(maxMeetings))
  readonly #startedAtMs = new LRUCache<string, number>(upTo(maxMeetings))
  /** When an upstream was last heard to be well. */
  readonly #heardAtMs = new Map<string, number>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** Until the next attempt, in ms; 0 when it may go out. */
  waitMs(meeting: PlacedMeeting): number {
    const last = this.#attempts.get(placeOf(meeting))
    if (last === undefined) return 0
    const isWell = (this.#heardAtMs.get(meeting.upstream) ?? Number.NEGATIVE_INFINITY) > last.sentAtMs
    const pauseMs = isWell ? shortestMs : Math.min(shortestMs * 2 ** last.failures, longestMs)
    return Math.max(0, last.sentAtMs + pauseMs - this.#clock.monotonic())
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
    const place = placeOf(meeting)
    const failures = this.#attempts.get(place)?.failures ?? 0
    this.#attempts.set(place, { sentAtMs: this.#clock.monotonic(), failures: failures + 1 })
  }

  /** The vendor has taken the attempt up, or has shown that it has nothing to stop. */
  takenUp(meeting: PlacedMeeting): void {
    const last = this.#attempts.get(placeOf(meeting))
    if (last !== undefined) last.failures = 0
    this.heard(meeting)
  }

  /** The attempt has come to nothing, though the vendor has taken it up. */
  failed(meeting: PlacedMeeting): void {
    const last = this.#attempts.get(placeOf(meeting))
    if (last !== undefined) last.failures += 1
  }

  /** The vendor has answered well, whatever it was asked. */
  heard({ upstream }: Pick<PlacedMeeting, 'upstream'>): void {
    this.#heardAtMs.set(upstream, this.#clock.monotonic())
  }

  /** A start of this meeting goes out: its stop is another matter, and does not wait. */
  started(meeting: PlacedMeeting): void {
    this.#attempts.delete(placeOf(meeting))
    this.#startedAtMs.set(placeOf(meeting), this.#clock.monotonic())
  }

  /** An earlier process has sent a start of this meeting, so long ago. */
  recallStart(meeting: PlacedMeeting, agoMs: number): void {
    this.#startedAtMs.set(placeOf(meeting), this.#clock.monotonic() - agoMs)
  }

  /** Whether a start of this meeting went out within that time: what it begins may not be shown yet. */
  hasStarted(meeting: PlacedMeeting, withinMs: number): boolean {
    return this.#clock.monotonic() - (this.#startedAtMs.get(placeOf(meeting)) ?? Number.NEGATIVE_INFINITY) < withinMs
  }
}
