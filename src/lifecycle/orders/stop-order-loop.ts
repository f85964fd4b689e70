import { randomUUID } from 'node:crypto'
import { Failure } from '../../domain/refusals/failures.ts'
import type { Replicas } from '../../domain/replicas.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import { type Engine, wordsOf, writeIf } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { OrderedStopNow } from '../../store/tables/runs/ordered-stops.ts'
import type { StopOrder, StopOrders } from '../../store/tables/runs/stop-orders.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { type FindOrdered, type FoundOrdered, newStops } from './find-ordered.ts'
import { type Log, orderLog } from './order-log.ts'
import { newWork, type Work } from './order-work.ts'
import type { RecordStop } from './record-stop.ts'

export interface StopOrderLoopDeps {
  engine: Pick<Engine, 'write'>
  orders: StopOrders
  upstreams: Upstreams
  find: FindOrdered
  record: RecordStop
  /** Reads who is suspended: from then on no start of that tenant goes out. */
  refresh(): Promise<unknown>
  /** Says that a command may have given an order. */
  onWorkLeft: Directory['onWorkLeft']
  log: Log
  clock: Clock
  replicas?: Pick<Replicas, 'leads' | 'onLead'>
  times?: typeof orderTimes
}

export const orderTimes = {
  whileOpenMs: 250,
  /** The store is asked again so long after it failed. */
  retryAfterMs: 1_000,
  leaseMs: 30_000,
  firstPauseMs: 1_000,
  longestPauseMs: 30_000,
  /** A vendor account that can't be asked for so long is given up. */
  giveUpMs: 600_000
}

/**
 * Carries out the orders to stop that operators have given: finds what each is about, has the stops recorded, and ends the order when
 * each of them has its outcome. Everything is in rows, so that the next process goes on after a crash. While no order is open, nothing is asked.
 */
export class StopOrderLoop {
  readonly #deps: StopOrderLoopDeps
  readonly #log: ReturnType<typeof orderLog>
  readonly #times: typeof orderTimes
  readonly #owner = randomUUID()
  readonly #work = new Map<string, Work>()
  /** Orders that a step is under way for. */
  readonly #isStepping = new Set<string>()
  readonly #underWay = new Set<Promise<void>>()
  readonly #loop: Loop
  #isClosed = false
  #wasLeading = false
  #unsubscribe = (): unknown => null

  constructor(deps: StopOrderLoopDeps) {
    this.#deps = deps
    this.#times = deps.times ?? orderTimes
    this.#log = orderLog(deps.log)
    this.#loop = new Loop({ round: () => this.#round(), onTrouble: this.#log.unreadable })
  }

  /** Takes over what an earlier process has left, once nobody else carries out orders. @throws what the store throws */
  async start(): Promise<void> {
    const wake = (): void => this.#loop.wake()
    const ends = [this.#deps.onWorkLeft(wake), this.#deps.replicas?.onLead(wake)]
    this.#unsubscribe = () => ends.map(end => end?.())
    await this.#leads()
    this.#loop.start(0)
  }

  /** Begins nothing new, and waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#unsubscribe()
    await this.#loop.close()
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }

  /** Orders go on beside each other: a vendor that hangs must hold back no other. */
  async #round(): Promise<void> {
    if (!(await this.#leads())) return
    const open = await this.#deps.orders.open().catch(error => {
      this.#loop.wake(this.#times.retryAfterMs)
      throw error
    })
    if (open.length > 0) this.#loop.wake(this.#times.whileOpenMs)
    for (const id of this.#work.keys()) if (open.every(order => order.id !== id)) this.#work.delete(id)
    for (const order of open) {
      if (this.#isStepping.has(order.id)) continue
      this.#isStepping.add(order.id)
      this.#follow(
        this.#step(order)
          .catch(err => this.#log.stuck(order, err))
          .finally(() => this.#isStepping.delete(order.id))
      )
    }
  }

  /** Whether this replica carries out orders. One that begins to takes them over from the last one. */
  async #leads(): Promise<boolean> {
    const { engine, orders, replicas } = this.#deps
    const leads = replicas?.leads() !== false
    if (leads && !this.#wasLeading) await engine.write([orders.release()])
    this.#wasLeading = leads
    return leads
  }

  #follow(work: Promise<void>): void {
    const tracked = work.finally(() => this.#underWay.delete(tracked))
    this.#underWay.add(tracked)
  }

  async #step(order: StopOrder): Promise<void> {
    const { engine, orders, find, clock } = this.#deps
    const work = this.#workOf(order)
    if (!(await this.#hold(order, work))) return
    if (order.listedAtMs === null) {
      if (!work.isKnown) {
        await this.#deps.refresh()
        await this.#add(order, work, await find.known(order))
        work.isKnown = true
        this.#record(order, work, await orders.stopsOf(order.id))
      }
      await this.#ask(order, work)
    }
    const stops = await orders.stopsOf(order.id)
    this.#record(order, work, stops)
    const isAsked = order.listedAtMs !== null || work.toAsk.size === 0
    if (!isAsked || stops.some(({ state }) => state === 'waiting' || state === 'sent')) return
    if (order.reason === 'suspended' && work.stops !== stops.length) return this.#lookAgain(order, work, stops.length)
    if (!(await writeIf(engine, [orders.ended(order, clock.now())]))) return
    const left = stops.filter(({ state }) => state === 'left').length
    this.#log.done(order, { stops: stops.length, left })
  }

  /** Keeps other processes from the order. False when one of them has it. */
  async #hold({ id }: StopOrder, work: Work): Promise<boolean> {
    const { engine, orders, clock } = this.#deps
    const { leaseMs } = this.#times
    if (clock.monotonic() < work.leasedUntilMs - leaseMs / 2) return true
    const untilMs = clock.monotonic() + leaseMs
    const isOurs = await writeIf(engine, [orders.take(id, this.#owner, clock.now(), leaseMs)])
    if (isOurs) work.leasedUntilMs = untilMs
    return isOurs
  }

  /** Asks each vendor account what runs there. One that fails is asked again after growing pauses. */
  async #ask(order: StopOrder, work: Work): Promise<void> {
    const { find, clock } = this.#deps
    if (work.toAsk.size === 0 || clock.monotonic() < work.askAtMs) return
    const asked = [...work.toAsk].map(async upstream => {
      try {
        await this.#add(order, work, await find.shown(order, upstream))
        work.toAsk.delete(upstream)
        work.unasked.delete(upstream)
      } catch (err) {
        work.unasked.set(upstream, { upstream, reason: err instanceof Failure ? err.message : wordsOf(err) })
        this.#log.unasked(order, upstream, err)
      }
    })
    await Promise.all(asked)
    const { firstPauseMs, longestPauseMs, giveUpMs } = this.#times
    work.askAtMs = clock.monotonic() + Math.min(firstPauseMs * 2 ** work.tries++, longestPauseMs)
    if (clock.monotonic() - work.sinceMs > giveUpMs) work.toAsk.clear()
    await this.#note(order, work)
  }

  /** For the command that waits. What an operator's order is about is known from now on, after a restart too. */
  async #note(order: StopOrder, work: Work): Promise<void> {
    const { engine, orders, clock } = this.#deps
    const found = { unasked: [...work.unasked.values()], unowned: [...work.unowned.values()] }
    const isAll = order.reason === 'operator' && work.toAsk.size === 0
    const news = JSON.stringify([found, isAll])
    if (news === work.noted) return
    await writeIf(engine, [orders.noted(order, found, isAll ? clock.now() : null)])
    work.noted = news
  }

  /** A start that had passed its last check when the tenant was suspended shows now. Looks until one shows nothing new. */
  #lookAgain(order: StopOrder, work: Work, stops: number): void {
    work.toAsk = this.#accountsOf(order)
    work.isKnown = false
    work.askAtMs = Number.NEGATIVE_INFINITY
    work.tries = 0
    work.stops = stops
  }

  /** The vendor accounts at which its tenant may have something. */
  #accountsOf({ tenantId }: StopOrder): Set<string> {
    const isOthers = (owner: string | null): boolean => tenantId !== null && owner !== null && owner !== tenantId
    const accounts = [...this.#deps.upstreams].filter(([, { dedicatedTo }]) => !isOthers(dedicatedTo))
    return new Set(accounts.map(([name]) => name))
  }

  async #add({ id }: StopOrder, work: Work, { runs, unowned }: FoundOrdered): Promise<void> {
    const { engine, orders } = this.#deps
    for (const run of unowned) work.unowned.set(`${run.upstream}/${run.livestreamId}`, run)
    const stops = newStops(id, await orders.stopsOf(id), runs)
    if (stops.length > 0) await engine.write(orders.add(stops))
  }

  #record(order: StopOrder, work: Work, stops: readonly OrderedStopNow[]): void {
    if (this.#isClosed) return
    const meetingOf = ({ upstream, meetingId, place }: OrderedStopNow): string => `${upstream}/${meetingId ?? place}`
    const sent = new Set(stops.filter(({ state }) => state === 'sent').map(meetingOf))
    for (const stop of stops.filter(({ state }) => state === 'waiting')) {
      const key = meetingOf(stop)
      // One stop of a meeting ends all that are open: that of its next livestream comes after it.
      if (work.recording.has(key) || sent.has(key)) continue
      work.recording.add(key)
      // Each waits for its meeting's turn, and holds back no other.
      this.#follow(
        this.#deps
          .record(order, stop)
          .catch(err => this.#log.unrecorded(order, err))
          .finally(() => work.recording.delete(key))
      )
    }
  }

  #workOf(order: StopOrder): Work {
    const known = this.#work.get(order.id)
    if (known !== undefined) return known
    const work = newWork(this.#accountsOf(order), this.#deps.clock.monotonic())
    this.#work.set(order.id, work)
    return work
  }
}
