/** The queue of each meeting, and its places, which calls may share. */
import { fromPlace } from '../../domain/id.ts'
import type { PlacedMeeting } from '../../domain/meeting.ts'
import { StopUnderWay } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { inSpan } from '../../tracing/trace.ts'
import { isItsOwn, isWorthATry } from './may-lead.ts'

/** Stops that may wait for the next one of their meeting, of one tenant, and in all. The stop that they wait for is never refused. */
const mostWaiting = { ofMeeting: 64, ofTenant: 1_000, ofAll: 2_000 }

const queueWait = 'queue wait'

export interface StartTurn<T> extends LeadingTurn<T> {
  /** Aborts when a stop has come behind this start: a start that only waits gives way to it. */
  stopWanted: AbortSignal
}

export interface StopTurn<T> extends LeadingTurn<T> {
  /** From now on nobody may join: what is sent now is no answer to a stop that comes later. */
  depart(): void
}

interface StartEntry<T> {
  kind: 'start'
  tenantId: string
  turn: SharedTurn<T>
  stopWanted: AbortController
}

interface StopEntry<T> {
  kind: 'stop'
  tenantId: string
  turn: SharedTurn<T>
  hasDeparted: boolean
}

type Entry<Started, Stopped> =
  | StartEntry<Started>
  | StopEntry<Stopped>
  | { kind: 'other'; turn: Pick<SharedTurn<unknown>, 'ended'> }

/**
 * A queue for each meeting at its vendor account (`placeOf`), in which starts and stops go one after the other: the vendor never
 * sees them cross. A start joins the last one in the queue when that is a start. A stop joins the last one when that is a stop
 * which has not been sent yet. All else is put behind: the last word counts. Nobody joins another tenant's: what that one may do, or comes
 * to, says nothing of the meeting's next holder.
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
   * Waits for the turn of a start, or for the answer of the one that it joins. When that one has sent nothing, the next that has
   * joined leads in its place, unless it has waited for too long. @param untilMs on the monotonic clock
   * @throws what the start that it joined has thrown
   */
  async enterStart(place: string, tenantId: string, untilMs: number): Promise<StartTurn<Started> | Joined<Started>> {
    const last = this.#lastOf(place)
    if (last?.kind === 'start' && last.tenantId === tenantId) {
      const turn = await last.turn.join(error => isWorthATry(error) && this.#clock.monotonic() <= untilMs)
      return 'joined' in turn ? turn : { ...turn, stopWanted: last.stopWanted.signal }
    }
    const stopWanted = new AbortController()
    const turn = this.#put<Started>(place, turn => ({ kind: 'start', tenantId, turn, stopWanted }))
    await inSpan(queueWait, {}, async () => last?.turn.ended)
    return { ...turn.lead(last !== undefined), stopWanted: stopWanted.signal }
  }

  /**
   * Waits for the turn of a stop, or for the answer of the one that it joins. A stop whose leader may not go on is still to be sent,
   * in the place of that one: a start that came later is not what it is to end.
   * @throws StopUnderWay when too many wait for the one that is to be sent next; what the stop that it joined has thrown
   */
  async enterStop(place: string, tenantId: string): Promise<StopTurn<Stopped> | Joined<Stopped>> {
    const last = this.#lastOf(place)
    if (last?.kind === 'stop' && last.tenantId === tenantId && !last.hasDeparted) {
      const turn = await this.#join(last, tenantId)
      return 'joined' in turn ? turn : departing(last, turn)
    }
    this.#giveWay(place)
    const entry = { kind: 'stop' as const, tenantId, hasDeparted: false }
    const turn = this.#put<Stopped>(place, turn => Object.assign(entry, { turn }))
    await inSpan(queueWait, {}, async () => last?.turn.ended)
    return departing(entry, turn.lead(last !== undefined))
  }

  /** Has its turn like a start or a stop, and is joined by nobody. A queue of such work alone may be about anything: a livestream, a run. */
  async inTurn<T>(place: string, work: (turn: Turn) => Promise<T>): Promise<T> {
    const last = this.#lastOf(place)
    const turn = this.#put<T>(place, turn => ({ kind: 'other', turn }))
    await last?.turn.ended
    const { waited, take } = turn.lead(last !== undefined)
    // In a function of its own, so that work that throws at once ends its turn as well.
    const inItsTurn = async (): Promise<T> => work({ waited })
    return take(inItsTurn())
  }

  /** Whether somebody has the turn of this meeting. */
  isTaken(place: string): boolean {
    return this.#queues.has(place)
  }

  /** The meetings in which a start is under way, or waits for its turn. */
  startsUnderWay(): PlacedMeeting[] {
    const places = [...this.#queues].filter(([, queue]) => queue.some(({ kind }) => kind === 'start'))
    return places.map(([place]) => fromPlace(place))
  }

  /** Waits until every queue is empty, whoever has hung up. */
  async idle(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all([...this.#queues.values()].flat().map(({ turn }) => turn.ended))
  }

  #lastOf(place: string): Entry<Started, Stopped> | undefined {
    return this.#queues.get(place)?.at(-1)
  }

  async #join({ turn }: StopEntry<Stopped>, tenantId: string): Promise<LeadingTurn<Stopped> | Joined<Stopped>> {
    const ofTenant = this.#joinedOf.get(tenantId) ?? 0
    const isFull = turn.waiting >= mostWaiting.ofMeeting || ofTenant >= mostWaiting.ofTenant
    if (isFull || this.#joined >= mostWaiting.ofAll) {
      throw new StopUnderWay({ outcome: 'unknown', retryAfterSeconds: 1 })
    }
    this.#joined += 1
    this.#joinedOf.set(tenantId, ofTenant + 1)
    try {
      return await turn.join(isItsOwn)
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

  /** Puts an entry behind all others. It leaves the queue with its last attempt: they end in the order in which they came. */
  #put<T>(place: string, entryOf: (turn: SharedTurn<T>) => Entry<Started, Stopped>): SharedTurn<T> {
    const queue = this.#queues.get(place) ?? []
    const turn = new SharedTurn<T>(() => {
      queue.shift()
      if (queue.length === 0) this.#queues.delete(place)
    })
    queue.push(entryOf(turn))
    this.#queues.set(place, queue)
    return turn
  }
}

/** The turn of a stop, which nobody may join from its departure on. Nothing of one that had its turn before was sent. */
function departing<T>(entry: Pick<StopEntry<T>, 'hasDeparted'>, turn: LeadingTurn<T>): StopTurn<T> {
  entry.hasDeparted = false
  const depart = (): void => {
    entry.hasDeparted = true
  }
  return { ...turn, depart }
}

/** A call whose turn in its meeting has come. */
export interface Turn {
  /** It had to wait: permissions and the meeting may have changed since. */
  waited: boolean
}

/** The turn of a start or a stop. It must be taken at once: until the attempt has ended nothing else of the meeting goes on. */
export interface LeadingTurn<T> extends Turn {
  /** Makes the attempt the answer of all who join, and ends the turn with it. */
  take(attempt: Promise<T>): Promise<T>
}

/** The answer of another call's attempt, which this call has waited for. */
export interface Joined<T> {
  joined: T
}

interface Waiting<T> {
  mayLead(error: unknown): boolean
  resolve(how: LeadingTurn<T> | Joined<T>): void
  reject(error: unknown): void
}

/**
 * One place in a queue, for calls that share an attempt. The first call leads. When its attempt says nothing of the others, the
 * next of them leads, still in this place: it came before whatever waits behind.
 */
export class SharedTurn<T> {
  /** Never rejects. */
  readonly ended: Promise<void>
  readonly #end: () => void
  readonly #waiting: Waiting<T>[] = []

  /** @param onEnd called at once when the last attempt has ended: nobody may join any more */
  constructor(onEnd: () => void) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = () => {
      onEnd()
      resolve()
    }
  }

  /** How many wait for the answer. */
  get waiting(): number {
    return this.#waiting.length
  }

  lead(waited: boolean): LeadingTurn<T> {
    const take = (attempt: Promise<T>): Promise<T> => {
      attempt.then(
        answer => this.#answer(answer),
        error => this.#pass(error)
      )
      return attempt
    }
    return { waited, take }
  }

  /** @param mayLead whether this call leads next after an attempt that has thrown this. @throws what the attempt has thrown */
  join(mayLead: (error: unknown) => boolean): Promise<LeadingTurn<T> | Joined<T>> {
    const { promise, resolve, reject } = Promise.withResolvers<LeadingTurn<T> | Joined<T>>()
    this.#waiting.push({ mayLead, resolve, reject })
    return inSpan(queueWait, {}, () => promise)
  }

  #answer(joined: T): void {
    this.#end()
    for (const { resolve } of this.#waiting.splice(0)) resolve({ joined })
  }

  #pass(error: unknown): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.mayLead(error)) {
        next.resolve(this.lead(true))
        return
      }
      next.reject(error)
    }
    this.#end()
  }
}
