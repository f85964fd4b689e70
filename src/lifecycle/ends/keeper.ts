import { type LiveLimits, monthOf, noLiveLimits } from '../../domain/ends/live-limits.ts'
import {
  type ComingEnd,
  type EndFacts,
  endOf,
  isExempt,
  isToBeWarned,
  limited,
  spentAt,
  spentOf
} from '../../domain/ends/run-ends.ts'
import { onlyReplica, type Replicas } from '../../domain/replicas.ts'
import type { Run } from '../../domain/runs/run.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { LiveUses } from '../../store/tables/runs/live-use.ts'
import type { OpenRuns } from '../ledger/hub.ts'
import type { ChangeEnd } from './change-end.ts'
import type { OrderStop } from './order-stop.ts'

export interface KeeperDeps {
  openRuns: OpenRuns
  use: Pick<LiveUses, 'endedMs' | 'correctedLimitsFromMs'>
  limitsOf(tenantId: string): LiveLimits | undefined
  changeEnd: ChangeEnd
  orderStop: OrderStop
  log: { error(facts: object, message: string): void }
  clock: Clock
  replicas?: Pick<Replicas, 'leads' | 'isOnly'>
  /** A run that is INVOKED for so long is stopped. */
  neverLiveMs: number
}

/** Memory is looked at so often, which costs no look-up. */
const everyMs = 500
/** So often the rows are read anew, while a run goes on. */
const refreshedEveryMs = 60_000
/** Other replicas may change ends without an event. */
const refreshedAmongManyMs = 2_000
/** A stop whose operation came to nothing is ordered again after so long. */
const orderedAgainAfterMs = 30_000
/** One that could not be ordered is ordered again after so long. */
const retriedAfterMs = 2_000
/** So many at once are warned of, limited and ended. */
const atOnce = 50

/**
 * Ends runs on time (docs/limits.md). It decides from the rows alone, again and again: so a restart finds what is due, and nothing is
 * remembered that would be lost.
 */
export class EndKeeper {
  readonly #deps: KeeperDeps
  readonly #loop: Loop
  /** When the stop of a run may be ordered again, on the monotonic clock. */
  readonly #orderedAgainAtMs = new Map<string, number>()
  /** Milliseconds of runs that are over in that month, by tenant with a monthly limit, and how many ends were heard of by then. */
  readonly #ended = new Map<string, { month: string; ends: number; ms: number }>()
  #refreshedAtMs = Number.NEGATIVE_INFINITY
  #limitsFromMs = 0

  constructor(deps: KeeperDeps) {
    this.#deps = deps
    const onTrouble = tellTrouble(
      deps.log,
      'error',
      { event: 'run_ends_failed' },
      'ends of runs could not be looked after'
    )
    this.#loop = new Loop({ round: () => this.round(), everyMs, onTrouble })
  }

  /** Before the first call: orders the stops that are overdue, then looks after all others. @throws what the store throws */
  async begin(): Promise<void> {
    const { use, clock, openRuns } = this.#deps
    this.#limitsFromMs = await use.correctedLimitsFromMs(clock.now())
    await openRuns.begin()
    this.#refreshedAtMs = clock.monotonic()
    await this.round()
    this.#loop.start()
  }

  /** Time from which on runs are limited. */
  get limitsFromMs(): number {
    return this.#limitsFromMs
  }

  /** Looks at every run that goes on once, where this replica leads. @throws what the store throws */
  async round(): Promise<void> {
    const { openRuns, replicas = onlyReplica } = this.#deps
    if (!replicas.leads()) return
    await this.#refresh()
    const forecasts = this.#forecasts()
    const todo = openRuns.all().flatMap(run => this.#todo(run, forecasts.get(run.tenantId) ?? null))
    // Due ends come first.
    const sorted = todo.sort((a, b) => a.rank - b.rank)
    for (let i = 0; i < sorted.length; i += atOnce)
      await Promise.all(sorted.slice(i, i + atOnce).map(({ work }) => work()))
  }

  async close(): Promise<void> {
    this.#deps.openRuns.close()
    await this.#loop.close()
  }

  async #refresh(): Promise<void> {
    const { openRuns, clock, replicas = onlyReplica } = this.#deps
    const everyMs = replicas.isOnly ? refreshedEveryMs : refreshedAmongManyMs
    const isWorthIt = openRuns.all().length > 0 || !replicas.isOnly
    if (isWorthIt && clock.monotonic() - this.#refreshedAtMs >= everyMs) {
      await openRuns.refresh()
      this.#ended.clear()
      this.#refreshedAtMs = clock.monotonic()
    }
    for (const id of this.#orderedAgainAtMs.keys()) if (openRuns.get(id) === null) this.#orderedAgainAtMs.delete(id)
    await this.#count()
  }

  /** Sums up what is over of those tenants that have a limit and something live: after each end, and in a new month. */
  async #count(): Promise<void> {
    const { openRuns, use, clock, limitsOf } = this.#deps
    const nowMs = clock.now()
    const month = monthOf(nowMs).name
    const tenants = new Set(openRuns.all().map(({ tenantId }) => tenantId))
    const counted = [...tenants].filter(id => (limitsOf(id)?.minutesPerMonth ?? null) !== null)
    for (const id of counted) {
      const known = this.#ended.get(id)
      // One that ends meanwhile is counted with the next round.
      const ends = openRuns.endsOf(id)
      if (known?.month === month && known.ends === ends) continue
      this.#ended.set(id, { month, ends, ms: await use.endedMs(id, nowMs) })
    }
  }

  /** When the minutes of each tenant that has a limit are spent. */
  #forecasts(): Map<string, number | null> {
    const { openRuns, clock, limitsOf } = this.#deps
    const onAir = Map.groupBy(
      openRuns.all().filter(({ liveAtMs }) => liveAtMs !== null),
      ({ tenantId }) => tenantId
    )
    const forecasts = new Map<string, number | null>()
    for (const [tenantId, runs] of onAir) {
      const minutes = limitsOf(tenantId)?.minutesPerMonth ?? null
      const endedMs = this.#ended.get(tenantId)?.ms
      if (minutes === null || endedMs === undefined) continue
      // As each run counts its time: a step of the clock spends nothing.
      const nowMs = clock.now()
      const liveSinceMs = runs.map(run => nowMs - (openRuns.nowFor(run) - (run.liveAtMs ?? nowMs)))
      forecasts.set(tenantId, spentAt({ endedMs, liveSinceMs }, minutes, nowMs))
    }
    return forecasts
  }

  #facts(run: Run): EndFacts {
    const { limitsOf, neverLiveMs, openRuns } = this.#deps
    const limits = limitsOf(run.tenantId) ?? noLiveLimits
    return { limits, limitsFromMs: this.#limitsFromMs, neverLiveMs, nowMs: openRuns.nowFor(run) }
  }

  /** The next thing to do with a run, if there is one. */
  #todo(run: Run, forecastMs: number | null): { rank: number; work(): Promise<unknown> }[] {
    const { changeEnd } = this.#deps
    const end = endOf(run, this.#facts(run))
    const { nowMs } = this.#facts(run)
    if (end !== null && end.atMs <= nowMs) return [{ rank: 0, work: () => this.#order(run, end) }]
    const lacks = (now: Run) => limited(now, this.#facts(now)) ?? this.#spent(now, forecastMs)
    if (lacks(run) !== null) {
      const decide = (now: Run) => {
        const change = lacks(now)
        return change === null ? null : { change }
      }
      return [{ rank: 1, work: () => changeEnd(run, decide) }]
    }
    if (end !== null && isToBeWarned(run, end, nowMs)) return [{ rank: 2, work: () => this.#warn(run) }]
    return []
  }

  #spent(run: Run, forecastMs: number | null): { spentAtMs: number | null } | null {
    const { limitsFromMs, nowMs } = this.#facts(run)
    if (isExempt(run, limitsFromMs)) return null
    const { clock } = this.#deps
    const onRunsClockMs = forecastMs === null ? null : forecastMs - clock.now() + nowMs
    const spentAtMs = spentOf(run, onRunsClockMs, nowMs)
    return spentAtMs === run.spentAtMs ? null : { spentAtMs }
  }

  async #warn(run: Run): Promise<void> {
    await this.#deps.changeEnd(run, now => {
      const facts = this.#facts(now)
      const end = endOf(now, facts)
      if (end === null || !isToBeWarned(now, end, facts.nowMs)) return null
      return { change: { warnedForMs: end.atMs }, reason: end.by }
    })
  }

  async #order(run: Run, { by }: ComingEnd): Promise<void> {
    const { orderStop, clock, log } = this.#deps
    if (clock.monotonic() < (this.#orderedAgainAtMs.get(run.id) ?? Number.NEGATIVE_INFINITY)) return
    const isDue = (now: Run): boolean => {
      const facts = this.#facts(now)
      return (endOf(now, facts)?.atMs ?? Number.POSITIVE_INFINITY) <= facts.nowMs
    }
    try {
      await orderStop(run, by, isDue)
      this.#orderedAgainAtMs.set(run.id, clock.monotonic() + orderedAgainAfterMs)
    } catch (err) {
      this.#orderedAgainAtMs.set(run.id, clock.monotonic() + retriedAfterMs)
      log.error(
        { event: 'run_stop_failed', err, run: run.id, cause: by },
        'the stop of a run could not be ordered: it is tried again'
      )
    }
  }
}
