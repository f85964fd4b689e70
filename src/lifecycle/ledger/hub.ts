/** Runs as this process knows them by its own commits: the hub tells of each move, and those that go on stay in memory. */
import type { Run, RunEvent } from '../../domain/runs/run.ts'
import { isOpenRun } from '../../domain/runs/run-moves.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'

/** A run that has just been moved, and what its tenant is told of that. */
export interface RunChange {
  /** As it is now. A change without an event: its playback address has come to be known, say. */
  readonly run: Run
  readonly events: readonly RunEvent[]
}

/** Tells within this process that runs have changed, after the commit. */
export interface RunChanges {
  /**
   * Calls the listener after each commit, never before it. It is a reason to read the events after the last one that was read: another
   * process may have written some, and they come in the order of their numbers. Gives back what ends it.
   */
  subscribe(listener: (changes: readonly RunChange[]) => void): () => void
}

export class RunHub implements RunChanges {
  /** How many listen. */
  listening = 0
  readonly #listeners = new Set<(changes: readonly RunChange[]) => void>()
  readonly #log: { error(facts: object, message: string): void }

  constructor(log: { error(facts: object, message: string): void }) {
    this.#log = log
  }

  subscribe(listener: (changes: readonly RunChange[]) => void): () => void {
    this.#listeners.add(listener)
    this.listening = this.#listeners.size
    return () => {
      this.#listeners.delete(listener)
      this.listening = this.#listeners.size
    }
  }

  /** A listener that throws must not undo what is committed, nor keep others from hearing of it. */
  committed(changes: readonly RunChange[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(changes)
      } catch (err) {
        this.#log.error({ event: 'run_listener_failed', err }, 'a listener to the events of runs has failed')
      }
    }
  }
}

/** A run that goes on, and the two clocks when this process first knew of it. */
interface OpenRun {
  run: Run
  readonly atMs: number
  readonly monotonicMs: number
}

export interface OpenRunsDeps {
  runs: Pick<BroadcastRuns, 'open'>
  hub: RunChanges
  clock: Clock
}

/**
 * The runs that go on, in memory, by what the hub tells after each commit. So looking at them costs nothing outside of the process.
 * Time goes on for each of them by the monotonic clock, so that a step of the wall clock ends nothing.
 */
export class OpenRuns {
  readonly #deps: OpenRunsDeps
  readonly #entries = new Map<string, OpenRun>()
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
