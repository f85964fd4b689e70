import type { Run } from '../../domain/run.ts'
import { isOpenRun } from '../../domain/run-moves.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { BroadcastRuns } from '../../store/tables/broadcast-runs.ts'
import type { RunEvents } from '../ledger/hub.ts'

/** A run that goes on, and the two clocks when this process first knew of it. */
interface Entry {
  run: Run
  readonly atMs: number
  readonly monotonicMs: number
}

export interface OpenRunsDeps {
  runs: Pick<BroadcastRuns, 'open'>
  hub: RunEvents
  clock: Clock
}

/**
 * The runs that go on, in memory, by what the hub tells after each commit. So looking at them costs nothing outside of the process.
 * Time goes on for each of them by the monotonic clock, so that a step of the wall clock ends nothing.
 */
export class OpenRuns {
  readonly #deps: OpenRunsDeps
  readonly #entries = new Map<string, Entry>()
  readonly #ends = new Map<string, number>()
  #unsubscribe = (): void => {}

  constructor(deps: OpenRunsDeps) {
    this.#deps = deps
  }

  /** Reads the rows, and follows the hub from now on. @throws what the store throws */
  async begin(): Promise<void> {
    this.#unsubscribe = this.#deps.hub.subscribe(changes => {
      for (const { run } of changes) this.put(run)
    })
    await this.refresh()
  }

  close(): void {
    this.#unsubscribe()
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
    const isNews = known === undefined || run.revision > known.run.revision
    if (!isNews) return
    if (!isOpenRun(run)) this.#end(run)
    else if (known === undefined) this.#entries.set(run.id, { run, atMs: clock.now(), monotonicMs: clock.monotonic() })
    else known.run = run
  }

  /** Counts the runs of a tenant that were heard to end. */
  endsOf(tenantId: string): number {
    return this.#ends.get(tenantId) ?? 0
  }

  #end({ id, tenantId }: Run): void {
    this.#entries.delete(id)
    this.#ends.set(tenantId, this.endsOf(tenantId) + 1)
  }

  /** Its row is over, or was never written. */
  forget(id: string): void {
    this.#entries.delete(id)
  }

  /**
   * Reads the rows anew: the hub tells of each move that was to be written, also of one that somebody else was faster with.
   * @throws what the store throws
   */
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
