import { LRUCache } from 'lru-cache'
import { Failure, StartUnsettled, UpstreamUnreachable } from '../domain/failures.ts'

/** So many meetings are remembered; beyond them a stop is not spaced, and the tenants' other limits remain. */
const maxFruitless = 10_000

/** A start or a stop that waits or is under way; those behind it wait for `ended`. */
type Entry<Started, Stopped> =
  | { kind: 'start'; result: Promise<Started>; ended: Promise<void> }
  | { kind: 'stop'; result: Promise<Stopped>; ended: Promise<void> }
  | { kind: 'other'; ended: Promise<void> }

/** What came of a call in its lane; `led` when its own attempt made it so. */
export interface Led<T> {
  result: T
  led: boolean
}

/**
 * A lane for each meeting, in which starts and stops go one after the other, so that the vendor never sees them cross. A call
 * joins the last one of the lane when it is of its own kind, and is put behind it when not: the last word counts.
 */
export class Motion<Started, Stopped> {
  readonly #lanes = new Map<string, Entry<Started, Stopped>>()
  /** When the last stop of a meeting went out that a start has not followed, on the monotonic clock. */
  readonly stoppedAtMs = new LRUCache<string, number>({ max: maxFruitless })

  /**
   * Joins or leads; `led` says which. `lead` is told whether it had to wait: what was true before may have changed. When the
   * attempt that was joined sent nothing, the next in line leads, unless it has waited for too long.
   */
  async start(
    meetingId: string,
    lead: (waited: boolean) => Promise<Started>,
    isLate: () => boolean = () => false
  ): Promise<Led<Started>> {
    this.stoppedAtMs.delete(meetingId)
    for (let waited = false; ; waited = true) {
      const last = this.#lanes.get(meetingId)
      if (last?.kind !== 'start') {
        const result = this.#behind(last, early => {
          // Again: the stop that it waited for has left its time.
          this.stoppedAtMs.delete(meetingId)
          return lead(waited || early)
        })
        this.#put(meetingId, { kind: 'start', result, ended: quietly(result) })
        return { result: await result, led: true }
      }
      try {
        return { result: await last.result, led: false }
      } catch (error) {
        if (!isWorthATry(error) || isLate()) throw error
        // Until its end is noted the lane still shows the one that failed.
        await last.ended
      }
    }
  }

  /** The same for stops: one whose leader was not allowed to any more is still to be sent. */
  async stop(meetingId: string, lead: (waited: boolean) => Promise<Stopped>): Promise<Led<Stopped>> {
    for (let waited = false; ; waited = true) {
      const last = this.#lanes.get(meetingId)
      if (last?.kind !== 'stop') {
        const result = this.#behind(last, early => lead(waited || early))
        this.#put(meetingId, { kind: 'stop', result, ended: quietly(result) })
        return { result: await result, led: true }
      }
      try {
        return { result: await last.result, led: false }
      } catch (error) {
        if (!isItsOwn(error)) throw error
        await last.ended
      }
    }
  }

  /** Has its turn like a start or a stop, and is joined by nobody. */
  async inTurn<T>(meetingId: string, work: (waited: boolean) => Promise<T>): Promise<T> {
    const result = this.#behind(this.#lanes.get(meetingId), work)
    this.#put(meetingId, { kind: 'other', ended: quietly(result) })
    return result
  }

  /** Waits until every lane is empty, whoever has hung up. */
  async idle(): Promise<void> {
    while (this.#lanes.size > 0) await Promise.all([...this.#lanes.values()].map(({ ended }) => ended))
  }

  async #behind<T>(last: Entry<Started, Stopped> | undefined, lead: (waited: boolean) => Promise<T>): Promise<T> {
    await last?.ended
    return lead(last !== undefined)
  }

  #put(meetingId: string, entry: Entry<Started, Stopped>): void {
    this.#lanes.set(meetingId, entry)
    entry.ended.then(() => {
      if (this.#lanes.get(meetingId) === entry) this.#lanes.delete(meetingId)
    })
  }
}

/** Ends when the attempt does, however it does. */
async function quietly(attempt: Promise<unknown>): Promise<void> {
  await attempt.catch(() => {})
}

/** True when the one that led was not allowed to any more: that says nothing of the next in line. */
function isItsOwn(error: unknown): boolean {
  if (!(error instanceof Failure) || error.outcome !== 'not_sent') return false
  // That an earlier start is not settled holds for all; each would ask the vendor about it.
  return error.status < 500 && error.type !== StartUnsettled.doc.type
}

/** Besides, no connection may have come to stand. What the vendor or the store has refused it would refuse the next one as well. */
function isWorthATry(error: unknown): boolean {
  const unreachable = error instanceof Failure && error.type === UpstreamUnreachable.doc.type
  return isItsOwn(error) || (unreachable && error.outcome === 'not_sent')
}
