import type { OwnedLivestream } from '../../domain/livestream.ts'
import type { PlacedMeeting } from '../../domain/meeting.ts'
import type { Run } from '../../domain/runs/run.ts'
import { type Clock, Loop, type Timing } from '../../domain/values/clock.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { RunChanges } from './hub.ts'
import { ownedBy } from './reconcile-runs.ts'

export interface InvokedPollsDeps {
  upstreams: Upstreams
  hub: RunChanges
  runs: Pick<BroadcastRuns, 'open'>
  /** Callers that wait for a run: it comes first. */
  liveWaits: { isAwaited(meeting: PlacedMeeting): boolean }
  refresh(livestream: OwnedLivestream, signal: AbortSignal, isBackground: true): Promise<void>
  bounded<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
  clock: Pick<Clock, 'monotonic'>
  timing?: Timing
}

/** Each run is asked for so often, as far as the share of the quota carries that. */
const everyMs = 3_000
const quotaShare = 0.2
/** Looks under way at one vendor account. */
const atOnce = 16

interface Invoked {
  run: Run
  /** When it was asked for last, or became known. */
  askedAtMs: number
}

/** Looks at one vendor account. */
interface Account {
  underWay: number
  /** Until the next look is within the share of the quota. */
  freeAtMs: number
}

/**
 * Asks for each run that is INVOKED, by its id, until it is on air: nothing tells of that but a webhook, which may be lost. The runs of a
 * vendor account share a part of its quota, and are asked for evenly slower when there are more of them. Without such runs no timer
 * goes.
 */
export class InvokedPolls {
  readonly #deps: InvokedPollsDeps
  readonly #invoked = new Map<string, Invoked>()
  readonly #accounts = new Map<string, Account>()
  readonly #looks = new Set<Promise<void>>()
  /** Runs of which the hub has told since the rows were read last. */
  readonly #toldMeanwhile = new Set<string>()
  readonly #loop: Loop
  #unsubscribe = (): void => {}

  constructor(deps: InvokedPollsDeps) {
    this.#deps = deps
    this.#loop = new Loop({ round: () => this.#round(), ...(deps.timing && { timing: deps.timing }) })
  }

  begin(): void {
    this.#unsubscribe = this.#deps.hub.subscribe(changes => {
      for (const { run } of changes) {
        this.#toldMeanwhile.add(run.id)
        this.#put(run)
      }
    })
  }

  /** Reads the rows anew, and gives those that are open: another process may have moved some. @throws what the store throws */
  async refresh(): Promise<Run[]> {
    this.#toldMeanwhile.clear()
    const open = await this.#deps.runs.open()
    const ids = new Set(open.map(({ id }) => id))
    // The rows that were read may be older than what was told meanwhile.
    const isOld = (id: string): boolean => this.#toldMeanwhile.has(id)
    for (const id of this.#invoked.keys()) if (!ids.has(id) && !isOld(id)) this.#invoked.delete(id)
    for (const run of open) if (!isOld(run.id)) this.#put(run)
    return open
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#loop.close()
    await Promise.all(this.#looks)
  }

  /** A run that has just begun is not on air yet: it is asked for after the pause. */
  #put(run: Run): void {
    const known = this.#invoked.get(run.id)
    if (known !== undefined && known.run.revision > run.revision) return
    if (run.status !== 'invoked' || run.livestreamId === null) {
      this.#invoked.delete(run.id)
      return
    }
    this.#invoked.set(run.id, { run, askedAtMs: known?.askedAtMs ?? this.#deps.clock.monotonic() })
    this.#loop.wake(everyMs)
  }

  /** Sends what is due, and waits for nothing but the next due time. */
  #round(): void {
    const nowMs = this.#deps.clock.monotonic()
    const due = [...this.#invoked.values()]
      .filter(({ askedAtMs }) => nowMs - askedAtMs >= everyMs)
      .sort((a, b) => a.askedAtMs - b.askedAtMs)
    const { true: first = [], false: others = [] } = Object.groupBy(
      due,
      ({ run }) => `${this.#isAwaited(run)}` as const
    )
    let nextInMs = everyMs
    for (const one of [...first, ...others]) {
      const waitMs = this.#waitMs(one.run, nowMs)
      if (waitMs === 0) this.#ask(one, nowMs)
      else nextInMs = Math.min(nextInMs, waitMs)
    }
    for (const { askedAtMs } of this.#invoked.values()) {
      const inMs = askedAtMs + everyMs - nowMs
      if (inMs > 0) nextInMs = Math.min(nextInMs, inMs)
    }
    if (this.#invoked.size > 0) this.#loop.wake(Math.ceil(nextInMs))
  }

  #isAwaited({ meetingId, upstream }: Run): boolean {
    return meetingId !== null && this.#deps.liveWaits.isAwaited({ id: meetingId, upstream })
  }

  /** As many at once as their share has become free for in `everyMs`: so those that began together are asked for together. */
  #waitMs({ upstream }: Run, nowMs: number): number {
    const status = this.#deps.upstreams.get(upstream)?.status()
    if (status === undefined || status.breaker === 'open') return everyMs
    const account = this.#accounts.get(upstream) ?? { underWay: 0, freeAtMs: nowMs }
    this.#accounts.set(upstream, account)
    if (account.underWay >= atOnce) return everyMs
    const waitMs = account.freeAtMs - nowMs - everyMs
    if (waitMs >= 0) return Math.max(waitMs, 1)
    const eachMs = status.budget.windowMs / (status.budget.quota * quotaShare)
    account.freeAtMs = Math.max(account.freeAtMs, nowMs) + eachMs
    return 0
  }

  #ask(one: Invoked, nowMs: number): void {
    const { refresh, bounded } = this.#deps
    one.askedAtMs = nowMs
    const account = this.#accounts.get(one.run.upstream)
    if (account !== undefined) account.underWay += 1
    // A look that fails says nothing: the next one comes.
    const look = bounded(signal => refresh(ownedBy(one.run), signal, true))
      .catch(() => {})
      .finally(() => {
        this.#looks.delete(look)
        if (account === undefined) return
        account.underWay -= 1
        if (account.underWay === atOnce - 1) this.#loop.wake()
      })
    this.#looks.add(look)
  }
}
