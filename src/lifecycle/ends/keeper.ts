import { type LiveLimits, noLiveLimits } from '../../domain/ends/live-limits.ts'
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
import type { Run } from '../../domain/run.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import type { LiveUses } from '../../store/tables/runs/live-use.ts'
import type { ChangeEnd } from './change-end.ts'
import type { OpenRuns } from './open-runs.ts'
import type { OrderStop } from './order-stop.ts'

export interface KeeperDeps {
  openRuns: OpenRuns
  use: Pick<LiveUses, 'endedMs' | 'limitsFromMs'>
  limitsOf(tenantId: string): LiveLimits | undefined
  changeEnd: ChangeEnd
  orderStop: OrderStop
  log: { error(facts: object, message: string): void }
  clock: Clock
  /** A run that is INVOKED for so long is stopped. */
  neverLiveMs: number
}

const everyMs = 500
/** So often the rows are read anew. */
const refreshedEveryMs = 1_000
/** A stop whose operation came to nothing is ordered again after so long. */
const orderedAgainAfterMs = 30_000
/** So many at once are warned of, limited and ended. */
const atOnce = 50

/**
 * Ends runs on time (docs/limits.md). It decides from the rows alone, again and again: so a restart finds what is due, and nothing is
 * remembered that would be lost.
 */
export class RunEnds {
  readonly #deps: KeeperDeps
  readonly #loop: Loop
  readonly #orderedAtMs = new Map<string, number>()
  /** Milliseconds of runs that are over, by tenant with a monthly limit. */
  #ended = new Map<string, number>()
  #refreshedAtMs = Number.NEGATIVE_INFINITY
  #limitsFromMs = 0

  constructor(deps: KeeperDeps) {
    this.#deps = deps
    const onTrouble = (err: unknown): void => deps.log.error({ err }, 'ends of runs could not be looked after')
    this.#loop = new Loop({ round: () => this.round(), everyMs, onTrouble })
  }

  /** Before the first call: orders the stops that are overdue, then looks after all others. @throws what the store throws */
  async begin(): Promise<void> {
    this.#limitsFromMs = await this.#deps.use.limitsFromMs(this.#deps.clock.now())
    await this.round()
    this.#loop.start()
  }

  /** Time from which on runs are limited. */
  get limitsFromMs(): number {
    return this.#limitsFromMs
  }

  /** Looks at every run that goes on once. @throws what the store throws */
  async round(): Promise<void> {
    await this.#refresh()
    const { openRuns } = this.#deps
    const forecasts = this.#forecasts()
    const todo = openRuns.all().flatMap(run => this.#todo(run, forecasts.get(run.tenantId) ?? null))
    // Due ends come first.
    const sorted = todo.sort((a, b) => a.rank - b.rank)
    for (let i = 0; i < sorted.length; i += atOnce)
      await Promise.all(sorted.slice(i, i + atOnce).map(({ work }) => work()))
  }

  async close(): Promise<void> {
    await this.#loop.close()
  }

  async #refresh(): Promise<void> {
    const { openRuns, use, clock, limitsOf } = this.#deps
    if (clock.monotonic() - this.#refreshedAtMs < refreshedEveryMs) return
    await openRuns.refresh()
    const tenants = new Set(openRuns.all().map(({ tenantId }) => tenantId))
    const counted = [...tenants].filter(id => (limitsOf(id)?.minutesPerMonth ?? null) !== null)
    const ended = await Promise.all(counted.map(async id => [id, await use.endedMs(id, clock.now())] as const))
    this.#ended = new Map(ended)
    this.#refreshedAtMs = clock.monotonic()
    const open = new Set(openRuns.all().map(({ id }) => id))
    for (const id of this.#orderedAtMs.keys()) if (!open.has(id)) this.#orderedAtMs.delete(id)
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
      const endedMs = this.#ended.get(tenantId)
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
    const lastMs = this.#orderedAtMs.get(run.id) ?? Number.NEGATIVE_INFINITY
    if (clock.monotonic() - lastMs < orderedAgainAfterMs) return
    const isDue = (now: Run): boolean => {
      const facts = this.#facts(now)
      return (endOf(now, facts)?.atMs ?? Number.POSITIVE_INFINITY) <= facts.nowMs
    }
    try {
      await orderStop(run, by, isDue)
      this.#orderedAtMs.set(run.id, clock.monotonic())
    } catch (err) {
      log.error({ err, run: run.id, cause: by }, 'the stop of a run could not be ordered: it is tried again')
    }
  }
}
