import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import type { PlacedMeeting } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
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
