import { LRUCache } from 'lru-cache'
import { isRunning, type Livestream } from '../../domain/livestream.ts'
import { type OwnedMeeting, placeOf } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import { WearingOff } from './wearing-off.ts'

/** After a stop that had nothing to stop: the next ones of that meeting may not use what is kept for stops. */
const fruitlessForMs = 10_000
const fruitlessTimes = 5
/** Fruitless stops of one tenant, in all its meetings: beyond so many it stops what is known to be live with all rights, and all else like any mutation. */
const fruitlessPerMinute = 20
/** So many meetings are remembered. */
const maxRemembered = 10_000

export interface FruitlessStopsDeps {
  livestreams: Pick<Livestreams, 'lastOfMeeting'>
  clock: Pick<Clock, 'monotonic'>
}

/** The account of stops that had nothing to stop, as far as is known: a loop of them may not use what is kept for stops. */
export class FruitlessStops {
  readonly #deps: FruitlessStopsDeps
  readonly #ofMeetings = new LRUCache<string, { times: number; lastAtMs: number }>(upTo(maxRemembered))
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
    const times = isConfirmed ? (this.#ofMeetings.get(place)?.times ?? 0) + 1 : fruitlessTimes
    this.#ofMeetings.set(place, { times, lastAtMs: this.#deps.clock.monotonic() })
    return true
  }

  /** A start is sent, which may be stopped. */
  forget(meeting: OwnedMeeting): void {
    this.#ofMeetings.delete(placeOf(meeting))
  }

  /** Whether the next stop of this meeting would be one of a loop. Never throws. */
  async isLoop(meeting: OwnedMeeting): Promise<boolean> {
    const { times = 0, lastAtMs = 0 } = this.#ofMeetings.get(placeOf(meeting)) ?? {}
    const isRecent = this.#deps.clock.monotonic() - lastAtMs < fruitlessForMs
    return (times >= fruitlessTimes && isRecent) || this.#isPartOfLoop(meeting)
  }

  /** A loop over many meetings would empty the vendor's quota as well: each of them has had no fruitless stop yet. */
  async #isPartOfLoop(meeting: OwnedMeeting): Promise<boolean> {
    if (this.#ofTenants.count(meeting.tenantId, fruitlessPerMinute) < fruitlessPerMinute) return false
    const last = await this.#deps.livestreams.lastOfMeeting(meeting).catch(() => undefined)
    return last === null || (last !== undefined && !isRunning(last.status))
  }
}
