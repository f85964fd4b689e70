import type { LivestreamSession } from '../../../src/domain/livestream.ts'
import type { LivestreamWithSessions, Provider } from '../../../src/upstream/provider.ts'
import type { ManualClock } from '../clock.ts'

interface ModelRun {
  id: string
  invokedAtMs: number
  startedAtMs: number | null
  stoppedAtMs: number | null
  ending: 'IDLE' | 'ERRORED'
}

/** A vendor with one meeting and its livestreams, as plain state: what a look shows is what is true then. */
export class VendorModel {
  readonly #clock: ManualClock
  readonly #livestreams = new Map<string, ModelRun[]>()
  #made = 0

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  /** The run of this livestream that goes on. */
  running(id: string): ModelRun | undefined {
    return this.#livestreams.get(id)?.find(({ stoppedAtMs }) => stoppedAtMs === null)
  }

  /** Ids of all livestreams that run, with their sessions. */
  truth(): string[] {
    return [...this.#livestreams.keys()].flatMap(id => {
      const run = this.running(id)
      return run === undefined ? [] : [`${id} ${run.id} ${run.startedAtMs === null ? 'invoked' : 'live'}`]
    })
  }

  begin(id: string): boolean {
    if (this.running(id) !== undefined) return false
    const run = { id: `s${++this.#made}`, invokedAtMs: this.#clock.now(), startedAtMs: null, stoppedAtMs: null }
    this.#livestreams.set(id, [...(this.#livestreams.get(id) ?? []), { ...run, ending: 'IDLE' }])
    return true
  }

  goLive(id: string): void {
    const run = this.running(id)
    if (run !== undefined) run.startedAtMs ??= this.#clock.now()
  }

  end(id: string, ending: 'IDLE' | 'ERRORED'): boolean {
    const run = this.running(id)
    if (run === undefined) return false
    Object.assign(run, { stoppedAtMs: this.#clock.now(), ending })
    return true
  }

  /** An answer by id. */
  show(id: string): LivestreamWithSessions | null {
    const runs = this.#livestreams.get(id)
    if (runs === undefined) return null
    const sessions = runs.map(toSession)
    const paging = { total_count: sessions.length, start_offset: 1, end_offset: sessions.length }
    return { livestream: this.#livestream(id, runs), sessions, paging }
  }

  /** An answer of the lists. */
  list(): Awaited<ReturnType<Provider['findRunning']>> {
    const running = [...this.#livestreams].filter(([id]) => this.running(id) !== undefined)
    return { livestreams: running.map(([id, runs]) => this.#livestream(id, runs)), unreadIn: new Set() }
  }

  #livestream(id: string, runs: ModelRun[]) {
    const run = runs.at(-1)
    const status =
      this.running(id) === undefined ? (run?.ending ?? 'IDLE') : run?.startedAtMs === null ? 'INVOKED' : 'LIVE'
    const changedAtMs = run?.stoppedAtMs ?? run?.startedAtMs ?? run?.invokedAtMs ?? 0
    const updated_at = new Date(changedAtMs).toISOString()
    return { id, status, meeting_id: 'm1', playback_url: `https://playback.example/${id}`, updated_at }
  }
}

function toSession({ id, invokedAtMs, startedAtMs, stoppedAtMs }: ModelRun): LivestreamSession {
  const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())
  return { id, invoked_time: iso(invokedAtMs), started_time: iso(startedAtMs), stopped_time: iso(stoppedAtMs) }
}
