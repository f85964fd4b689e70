import { isSameId, placeOf } from '../../domain/id.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import type { Run } from '../../domain/runs/run.ts'
import { isOpenRun } from '../../domain/runs/run-moves.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { RunChange, RunChanges } from '../ledger/hub.ts'

export interface LiveWaitsDeps {
  hub: RunChanges
  runs: Pick<BroadcastRuns, 'lastOf' | 'openIn'>
}

/** The run that somebody waits for. */
export interface Awaited {
  meeting: OwnedMeeting
  /** Null: of any livestream in the meeting, since nothing is live there yet. */
  livestreamId: string | null
}

interface Waiter extends Awaited {
  hear(run: Run): void
  giveUp(): void
}

/** Calls that wait until a run is live, and its playback address known. They cost no call of the vendor and no timer of their own but one. */
export class LiveWaits {
  readonly #deps: LiveWaitsDeps
  readonly #waiters = new Map<string, Set<Waiter>>()
  #unsubscribe = (): void => {}
  #isEnded = false

  constructor(deps: LiveWaitsDeps) {
    this.#deps = deps
  }

  /** Whether somebody waits for a run in this meeting: it is looked at first. */
  isAwaited(meeting: PlacedMeeting): boolean {
    return this.#waiters.has(placeOf(meeting))
  }

  /**
   * Waits until the run can be played, or is over; until the time has come, the signal does, or the gateway ends. Gives the run as it is
   * then; null when the ledger knows none.
   */
  async until(awaited: Awaited, withinMs: number, signal: AbortSignal): Promise<Run | null> {
    let seen: Run | null = null
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const end = (): void => resolve()
    const waiter: Waiter = {
      ...awaited,
      hear(run) {
        if (!isMeant(run, awaited)) return
        seen = run
        if (isDecided(run, awaited)) end()
      },
      giveUp: end
    }
    const leave = this.#enter(waiter)
    const timer = setTimeout(end, withinMs)
    signal.addEventListener('abort', end, { once: true })
    if (this.#isEnded || signal.aborted) end()
    try {
      // Behind the subscription, so that nothing falls between the two.
      const known = await this.#known(awaited)
      if (known !== null && seen === null) waiter.hear(known)
      await over
      // Another process may have moved it.
      return signal.aborted ? null : ((await this.#known(awaited)) ?? seen)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      leave()
    }
  }

  /** Ends all waits, and those to come at once. */
  endAll(): void {
    this.#isEnded = true
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.giveUp()
  }

  #enter(waiter: Waiter): () => void {
    if (this.#waiters.size === 0) this.#unsubscribe = this.#deps.hub.subscribe(changes => this.#tell(changes))
    const place = placeOf(waiter.meeting)
    const there = this.#waiters.get(place) ?? new Set()
    this.#waiters.set(place, there.add(waiter))
    return () => {
      there.delete(waiter)
      if (there.size === 0) this.#waiters.delete(place)
      if (this.#waiters.size === 0) this.#unsubscribe()
    }
  }

  #tell(changes: readonly RunChange[]): void {
    for (const { run } of changes) {
      if (run.meetingId === null) continue
      const waiters = this.#waiters.get(placeOf({ id: run.meetingId, upstream: run.upstream }))
      for (const waiter of waiters ?? []) waiter.hear(run)
    }
  }

  /** A store that cannot be read ends no wait: the hub goes on telling. */
  async #known({ meeting, livestreamId }: Awaited): Promise<Run | null> {
    const { runs } = this.#deps
    const known = livestreamId === null ? runs.openIn(meeting) : runs.lastOf(meeting.upstream, livestreamId)
    const run = [await known.catch(() => null)].flat().at(-1) ?? null
    return run !== null && isMeant(run, { meeting, livestreamId }) ? run : null
  }
}

function isMeant(run: Run, { meeting, livestreamId }: Awaited): boolean {
  // The meeting may have been another tenant's when it ran.
  if (run.meetingId === null || !isSameId(run.meetingId, meeting.id) || run.tenantId !== meeting.tenantId) return false
  return livestreamId === null || (run.livestreamId !== null && isSameId(run.livestreamId, livestreamId))
}

/** To one who waits for the next run, the end of another is nothing, and so is one that the last look has not shown any more. */
function isDecided(run: Run, { livestreamId }: Awaited): boolean {
  const isPlayable = run.status === 'live' && run.playbackUrl !== null
  return livestreamId === null ? isPlayable && run.quietLooks === 0 : isPlayable || !isOpenRun(run)
}
