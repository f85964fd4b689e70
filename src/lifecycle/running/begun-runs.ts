import { LRUCache } from 'lru-cache'
import { type PlacedMeeting, placeOf } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'

const maxMeetings = 10_000

/**
 * Runs that our own starts have begun a moment ago, and that no look has shown on air yet. The vendor may hide such a run,
 * also when it is asked for by its id. One look that contradicts the start is not believed, as for a confirmed stop.
 */
export class BegunRuns {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #settleMs: number
  readonly #runs = new LRUCache<string, { livestreamId: string; atMs: number }>(upTo(maxMeetings))

  /** @param settleMs for so long a run may be hidden */
  constructor(clock: Pick<Clock, 'monotonic'>, settleMs: number) {
    this.#clock = clock
    this.#settleMs = settleMs
  }

  /** A start has begun a run of this livestream. @param agoMs since the start was sent */
  began(meeting: PlacedMeeting, livestreamId: string, agoMs = 0): void {
    this.#runs.set(placeOf(meeting), { livestreamId, atMs: this.#clock.monotonic() - agoMs })
  }

  /** The vendor has shown it on air, or has confirmed that it is over: looks are believed again. */
  believed(meeting: PlacedMeeting): void {
    this.#runs.delete(placeOf(meeting))
  }

  /** The livestream whose run may not be shown yet; null when there is none. */
  of(meeting: PlacedMeeting): string | null {
    const run = this.#runs.get(placeOf(meeting))
    return run !== undefined && this.#clock.monotonic() - run.atMs < this.#settleMs ? run.livestreamId : null
  }
}
