import {
  Failure,
  InvalidInput,
  isOneOf,
  StartUnsettled,
  StopUnderWay,
  UpstreamUnreachable
} from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'

/** Stops that may wait for the next one of their meeting, of one tenant, and in all. The stop that they wait for is never refused. */
const mostWaiting = { ofMeeting: 64, ofTenant: 1_000, ofAll: 2_000 }

/** A call whose turn in its meeting has come. */
export interface Turn {
  /** It had to wait: permissions and the meeting may have changed since. */
  waited: boolean
}

/** The turn of a start or a stop. It must be taken at once: until the attempt has ended nothing else of the meeting goes on. */
interface LeadingTurn<T> extends Turn {
  /** Makes the attempt the answer of all who join, and ends the turn with it. */
  take(attempt: Promise<T>): Promise<T>
}

export interface StartTurn<T> extends LeadingTurn<T> {
  /** Aborts when a stop has come behind this start: a start that only waits gives way to it. */
  stopWanted: AbortSignal
}

export interface StopTurn<T> extends LeadingTurn<T> {
  /** From now on nobody may join: what is sent now is no answer to a stop that comes later. */
  depart(): void
}

/** The answer of another call's attempt, which this call has waited for. */
export interface Joined<T> {
  joined: T
}

interface StartEntry<T> {
  kind: 'start'
  result: Promise<T>
  ended: Promise<void>
  stopWanted: AbortController
}

interface StopEntry<T> {
  kind: 'stop'
  result: Promise<T>
  ended: Promise<void>
  hasDeparted: boolean
  /** Stops that wait for its answer, besides the one that made it. */
  joined: number
}

type Entry<Started, Stopped> = StartEntry<Started> | StopEntry<Stopped> | { kind: 'other'; ended: Promise<void> }

/**
 * A queue for each meeting at its vendor account (`placeOf`), in which starts and stops go one after the other: the vendor never
 * sees them cross. A start joins the last one in the queue when that is a start. A stop joins the last one when that is a stop
 * which has not been sent yet. All else is put behind: the last word counts.
 */
export class MeetingQueue<Started, Stopped> {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #queues = new Map<string, Entry<Started, Stopped>[]>()
  #joined = 0
  readonly #joinedOf = new Map<string, number>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /**
   * Waits for the turn of a start, or for the answer of the one that it joins. When that one has sent nothing, the next in the
   * queue leads, unless it has waited for too long. @param untilMs on the monotonic clock
   * @throws what the start that it joined has thrown
   */
  async enterStart(place: string, untilMs: number): Promise<StartTurn<Started> | Joined<Started>> {
    for (let waited = false; ; waited = true) {
      const last = this.#lastOf(place)
      if (last?.kind !== 'start') {
        const { attempt, take } = leading<Started>()
        const stopWanted = new AbortController()
        this.#put(place, { kind: 'start', result: attempt, ended: quietly(attempt), stopWanted })
        await last?.ended
        return { waited: waited || last !== undefined, take, stopWanted: stopWanted.signal }
      }
      try {
        return { joined: await last.result }
      } catch (error) {
        if (!isWorthATry(error) || this.#clock.monotonic() > untilMs) throw error
        // Until its end is noted the queue still shows the one that failed.
        await last.ended
      }
    }
  }

  /**
   * Waits for the turn of a stop, or for the answer of the one that it joins. A stop whose leader may not go on is still to be sent.
   * @throws StopUnderWay when too many wait for the one that is to be sent next; what the stop that it joined has thrown
   */
  async enterStop(place: string, tenantId: string): Promise<StopTurn<Stopped> | Joined<Stopped>> {
    for (let waited = false; ; waited = true) {
      const last = this.#lastOf(place)
      if (last?.kind !== 'stop' || last.hasDeparted) {
        const { attempt, take } = leading<Stopped>()
        const entry = { kind: 'stop' as const, result: attempt, ended: quietly(attempt), hasDeparted: false, joined: 0 }
        this.#giveWay(place)
        this.#put(place, entry)
        await last?.ended
        const depart = (): void => {
          entry.hasDeparted = true
        }
        return { waited: waited || last !== undefined, take, depart }
      }
      try {
        return { joined: await this.#join(last, tenantId) }
      } catch (error) {
        if (!isItsOwn(error)) throw error
        await last.ended
      }
    }
  }

  /** Has its turn like a start or a stop, and is joined by nobody. */
  async inTurn<T>(place: string, work: (turn: Turn) => Promise<T>): Promise<T> {
    const last = this.#lastOf(place)
    const { attempt, take } = leading<T>()
    this.#put(place, { kind: 'other', ended: quietly(attempt) })
    await last?.ended
    // In a function of its own, so that work that throws at once ends its turn as well.
    const inItsTurn = async (): Promise<T> => work({ waited: last !== undefined })
    return take(inItsTurn())
  }

  /** Whether somebody has the turn of this meeting. */
  isTaken(place: string): boolean {
    return this.#queues.has(place)
  }

  /** Waits until every queue is empty, whoever has hung up. */
  async idle(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all([...this.#queues.values()].flat().map(({ ended }) => ended))
  }

  #lastOf(place: string): Entry<Started, Stopped> | undefined {
    return this.#queues.get(place)?.at(-1)
  }

  async #join(stop: StopEntry<Stopped>, tenantId: string): Promise<Stopped> {
    const ofTenant = this.#joinedOf.get(tenantId) ?? 0
    const isFull = stop.joined >= mostWaiting.ofMeeting || ofTenant >= mostWaiting.ofTenant
    if (isFull || this.#joined >= mostWaiting.ofAll) {
      throw new StopUnderWay({ outcome: 'unknown', retryAfterSeconds: 1 })
    }
    stop.joined += 1
    this.#joined += 1
    this.#joinedOf.set(tenantId, ofTenant + 1)
    try {
      return await stop.result
    } finally {
      this.#joined -= 1
      const left = (this.#joinedOf.get(tenantId) ?? 1) - 1
      if (left > 0) this.#joinedOf.set(tenantId, left)
      else this.#joinedOf.delete(tenantId)
    }
  }

  #giveWay(place: string): void {
    for (const entry of this.#queues.get(place) ?? []) if (entry.kind === 'start') entry.stopWanted.abort()
  }

  #put(place: string, entry: Entry<Started, Stopped>): void {
    const queue = this.#queues.get(place) ?? []
    queue.push(entry)
    this.#queues.set(place, queue)
    // They end in the order in which they came.
    entry.ended.then(() => {
      queue.shift()
      if (queue.length === 0) this.#queues.delete(place)
    })
  }
}

/** An attempt that is still to be made, and how to make it: it ends as what is taken for it. */
function leading<T>(): { attempt: Promise<T>; take: LeadingTurn<T>['take'] } {
  const { promise, resolve } = Promise.withResolvers<T>()
  const take = (made: Promise<T>): Promise<T> => {
    resolve(made)
    return promise
  }
  return { attempt: promise, take }
}

/** Ends when the attempt does, however it does. */
async function quietly(attempt: Promise<unknown>): Promise<void> {
  await attempt.catch(() => {})
}

/** True when the leader itself was refused: that says nothing of the next in the queue. */
function isItsOwn(error: unknown): boolean {
  if (!(error instanceof Failure) || error.outcome !== 'not_sent') return false
  // An earlier start that is not settled holds them all back, and each would ask the vendor about it.
  return error.status < 500 && error.type !== StartUnsettled.doc.type
}

/**
 * True as well when no connection came to stand, or a field of the one that led was refused. Any other refusal by the vendor or the
 * store would meet the next one too.
 */
function isWorthATry(error: unknown): boolean {
  if (!(error instanceof Failure)) return false
  const isUnreachable = isOneOf(error, UpstreamUnreachable) && error.outcome === 'not_sent'
  return isItsOwn(error) || isOneOf(error, InvalidInput) || isUnreachable
}
