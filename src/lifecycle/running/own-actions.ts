/** Actions of Livegate's own in each meeting, a moment ago: what the vendor shows may be from before them. */
import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import type { PlacedMeeting } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { ConfirmedStop } from './verdict.ts'

const maxMeetings = 10_000

/** A start that went out. No two are the same object, though they may have the same time. */
export interface SentStart {
  readonly atMs: number
}

/**
 * Starts of ours, and the runs that they have begun a moment ago, and that no look has shown on air yet. The vendor may hide such a
 * run, also when it is asked for by its id. One look that contradicts the start is not believed, as for a confirmed stop.
 */
export class OwnStarts {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #settleMs: number
  readonly #sent = new LRUCache<string, SentStart>(upTo(maxMeetings))
  readonly #begun = new LRUCache<string, { livestreamId: string; atMs: number }>(upTo(maxMeetings))

  /** @param settleMs for so long a run may be hidden */
  constructor(clock: Pick<Clock, 'monotonic'>, settleMs: number) {
    this.#clock = clock
    this.#settleMs = settleMs
  }

  /** A start of this meeting goes out. @param agoMs since an earlier process has sent it */
  sent(meeting: PlacedMeeting, agoMs = 0): void {
    this.#sent.set(placeOf(meeting), { atMs: this.#clock.monotonic() - agoMs })
  }

  /** The last start of this meeting: stops from before it say nothing of its run. */
  last(meeting: PlacedMeeting): SentStart | undefined {
    return this.#sent.get(placeOf(meeting))
  }

  /** Whether a start of this meeting went out within that time: what it begins may not be shown yet. */
  hasSent(meeting: PlacedMeeting, withinMs: number): boolean {
    return this.#clock.monotonic() - (this.last(meeting)?.atMs ?? Number.NEGATIVE_INFINITY) < withinMs
  }

  /** A start has begun a run of this livestream. @param agoMs since the start was sent */
  began(meeting: PlacedMeeting, livestreamId: string, agoMs = 0): void {
    this.#begun.set(placeOf(meeting), { livestreamId, atMs: this.#clock.monotonic() - agoMs })
  }

  /** The vendor has shown it on air, or has confirmed that it is over: looks are believed again. */
  believed(meeting: PlacedMeeting): void {
    this.#begun.delete(placeOf(meeting))
  }

  /** The livestream whose begun run may not be shown yet; null when there is none. */
  begunRun(meeting: PlacedMeeting): string | null {
    const run = this.#begun.get(placeOf(meeting))
    return run !== undefined && this.#clock.monotonic() - run.atMs < this.#settleMs ? run.livestreamId : null
  }
}

/** So long a stop that nobody has confirmed may still end what is shown. */
const mayEndForMs = 5_000

/** Stops of ours that no start has followed. */
export class OwnStops {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #settleMs: number
  readonly #confirmed = new LRUCache<string, ConfirmedStop>({
    ...upTo(maxMeetings),
    dispose: ({ followUp }) => clearTimeout(followUp ?? undefined)
  })
  /** Stops that may have reached the vendor and that nobody has confirmed: when they went out. */
  readonly #unconfirmed = new LRUCache<string, number>(upTo(maxMeetings))

  /** @param settleMs for so long a run that was stopped may be shown */
  constructor(clock: Pick<Clock, 'monotonic'>, settleMs: number) {
    this.#clock = clock
    this.#settleMs = settleMs
  }

  /** The confirmed stop of this meeting that is remembered. */
  confirmedIn(meeting: PlacedMeeting): ConfirmedStop | undefined {
    return this.#confirmed.get(placeOf(meeting))
  }

  remember(stop: ConfirmedStop): void {
    this.#confirmed.set(placeOf(stop.meeting), stop)
  }

  /** The run that is shown is a newer one. */
  forget(meeting: PlacedMeeting): void {
    this.#confirmed.delete(placeOf(meeting))
  }

  /** A stop went out, and its answer does not say whether it was executed. */
  unconfirmed(meeting: PlacedMeeting): void {
    this.#unconfirmed.set(placeOf(meeting), this.#clock.monotonic())
  }

  /** A stop was confirmed: the ones of before are no question any more. */
  answered(meeting: PlacedMeeting): void {
    this.#unconfirmed.delete(placeOf(meeting))
  }

  /**
   * The vendor has begun another run, or somebody wants the one that goes on: what it shows from now on is that one.
   * @param agoMs since the start was sent: a stop that came after it is about its run
   */
  started(meeting: PlacedMeeting, agoMs = 0): void {
    const sentAtMs = this.#clock.monotonic() - agoMs
    if ((this.confirmedIn(meeting)?.atMs ?? sentAtMs) <= sentAtMs) this.forget(meeting)
    if ((this.#unconfirmed.get(placeOf(meeting)) ?? sentAtMs) <= sentAtMs) this.answered(meeting)
  }

  /** Whether a confirmed stop of this meeting is remembered that no start has followed. */
  has(meeting: PlacedMeeting): boolean {
    return this.confirmedIn(meeting) !== undefined
  }

  /** Whether a run of this meeting was stopped a moment ago. */
  isRecent(meeting: PlacedMeeting): boolean {
    const stop = this.confirmedIn(meeting)
    return stop !== undefined && this.#clock.monotonic() - stop.atMs < this.#settleMs
  }

  /** Whether a stop that nobody has confirmed may still end what is shown now. */
  mayEnd(meeting: PlacedMeeting): boolean {
    const atMs = this.#unconfirmed.get(placeOf(meeting)) ?? Number.NEGATIVE_INFINITY
    return this.#clock.monotonic() - atMs < mayEndForMs
  }
}
