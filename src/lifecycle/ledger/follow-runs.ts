import type { Run } from '../../domain/runs/run.ts'
import { Loop } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { RunEventRows } from '../../store/tables/runs/run-events.ts'
import type { RunHub } from './hub.ts'

export interface FollowRunsDeps {
  events: Pick<RunEventRows, 'after' | 'lastSeq'>
  runs: Pick<BroadcastRuns, 'get'>
  hub: Pick<RunHub, 'committed'>
  /** Hears of the runs that were moved, whoever has moved them, before the hub does. */
  heard(run: Run): Promise<unknown>
  log: { error(facts: object, message: string): void }
  everyMs?: number
}

const pageSize = 200

/**
 * Tells the hub of runs that other replicas have moved, from the rows of their events. An event is told by the replica that wrote it, so here
 * only the run as it is now counts.
 */
export class FollowRuns {
  readonly #deps: FollowRunsDeps
  readonly #loop: Loop
  #seq = 0

  constructor(deps: FollowRunsDeps) {
    this.#deps = deps
    const onTrouble = tellTrouble(
      deps.log,
      'error',
      { event: 'run_events_unreadable' },
      'the events of runs cannot be read'
    )
    this.#loop = new Loop({ round: () => this.#round(), everyMs: deps.everyMs ?? 1_000, onTrouble })
  }

  /** Before the first call. @throws what the store throws */
  async begin(): Promise<void> {
    this.#seq = await this.#deps.events.lastSeq()
    this.#loop.start()
  }

  close(): Promise<void> {
    return this.#loop.close()
  }

  async #round(): Promise<void> {
    const { events, runs, hub, heard } = this.#deps
    for (;;) {
      const page = await events.after(this.#seq, { limit: pageSize })
      const moved = await Promise.all([...new Set(page.map(({ runId }) => runId))].map(runs.get))
      const known = moved.filter(run => run !== null)
      await Promise.all(known.map(heard))
      if (known.length > 0) hub.committed(known.map(run => ({ run, events: [] })))
      this.#seq = page.at(-1)?.seq ?? this.#seq
      if (page.length < pageSize) return
    }
  }
}
