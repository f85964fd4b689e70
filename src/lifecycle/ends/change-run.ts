import { wished } from '../../domain/ends/run-ends.ts'
import type { BroadcastRuns } from '../../store/tables/broadcast-runs.ts'
import type { ChangeEnd } from './change-end.ts'
import type { OpenRuns } from './open-runs.ts'

/** Shortens a run that a start has joined or found, and never extends it. @param seconds from the run's start. @throws what the store throws */
export type ShortenRun = (runId: string | null, seconds: number) => Promise<void>

export interface ShortenRunDeps {
  runs: Pick<BroadcastRuns, 'get'>
  openRuns: Pick<OpenRuns, 'nowFor'>
  changeEnd: ChangeEnd
}

export function shortenRun({ runs, openRuns, changeEnd }: ShortenRunDeps): ShortenRun {
  return async (runId, seconds) => {
    const run = runId === null ? null : await runs.get(runId)
    if (run === null) return
    await changeEnd(run, now => {
      const change = wished(now, seconds, openRuns.nowFor(now), true)
      return change === null ? null : { change }
    })
  }
}
