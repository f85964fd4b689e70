import type { Run } from '../../domain/run.ts'
import { isOpenRun } from '../../domain/run-moves.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { BroadcastRuns } from '../../store/tables/broadcast-runs.ts'

/** A run that goes on, and the two clocks when this process first knew of it. */
interface Entry {
  run: Run
  readonly atMs: number
  readonly monotonicMs: number
}

export interface OpenRunsDeps {
  runs: Pick<BroadcastRuns, 'open'>
  clock: Clock
}

/**
 * The runs that go on, in memory: what is decided of their ends is known at once, and all else with the next `refresh`.
 * Time goes on for each of them by the monotonic clock, so that a step of the wall clock ends nothing.
 */
export class OpenRuns {
  readonly #deps: OpenRunsDeps
  readonly #entries = new Map<string, Entry>()

  constructor(deps: OpenRunsDeps) {
    this.#deps = deps
  }

  all(): Run[] {
    return [...this.#entries.values()].map(({ run }) => run)
  }

  get(id: string): Run | null {
    return this.#entries.get(id)?.run ?? null
  }

  /** Epoch ms, as this run counts them. */
  nowFor({ id }: Run): number {
    const { clock } = this.#deps
    const entry = this.#entries.get(id)
    return entry === undefined ? clock.now() : entry.atMs + (clock.monotonic() - entry.monotonicMs)
  }

  /** A run as it was read or written; an older state than the known one changes nothing. */
  put(run: Run): void {
    const { clock } = this.#deps
    const known = this.#entries.get(run.id)
    if (!isOpenRun(run)) this.#entries.delete(run.id)
    else if (known === undefined) this.#entries.set(run.id, { run, atMs: clock.now(), monotonicMs: clock.monotonic() })
    else if (run.revision > known.run.revision) known.run = run
  }

  /** Reads the rows anew. @throws what the store throws */
  async refresh(): Promise<void> {
    const before = new Map([...this.#entries].map(([id, { run }]) => [id, run.revision]))
    const open = await this.#deps.runs.open()
    const ids = new Set(open.map(({ id }) => id))
    // One that has become known, or was moved, meanwhile may stand in a newer row than those that were read.
    for (const [id, { run }] of this.#entries)
      if (!ids.has(id) && before.get(id) === run.revision) this.#entries.delete(id)
    for (const run of open) this.put(run)
  }
}
