import { type LiveLimits, longestRunSeconds } from '../../domain/ends/live-limits.ts'
import { wished } from '../../domain/ends/run-ends.ts'
import { InvalidInput } from '../../domain/refusals/failures.ts'
import type { BroadcastRuns } from '../../store/tables/broadcast-runs.ts'
import type { ChangeEnd } from './change-end.ts'
import type { OpenRuns } from './open-runs.ts'

/** Shortens a run that a start has joined or found, and never extends it. @param seconds from the run's start. @throws what the store throws */
export type ShortenRun = (runId: string | null, seconds: number | null) => Promise<void>

export interface ShortenRunDeps {
  runs: Pick<BroadcastRuns, 'get'>
  openRuns: Pick<OpenRuns, 'nowFor'>
  changeEnd: ChangeEnd
}

export function shortenRun({ runs, openRuns, changeEnd }: ShortenRunDeps): ShortenRun {
  return async (runId, seconds) => {
    const run = runId === null || seconds === null ? null : await runs.get(runId)
    if (run === null || seconds === null) return
    await changeEnd(run, now => {
      const change = wished(now, seconds, openRuns.nowFor(now), true)
      return change === null ? null : { change }
    })
  }
}

/** @throws InvalidInput that names the field when the tenant may not have so long a run */
export function expectAllowed(seconds: number | null, { maxDurationSeconds }: LiveLimits): void {
  const most = maxDurationSeconds ?? longestRunSeconds
  if (seconds === null || seconds <= most) return
  const message = `must be <= ${most}, the longest run of this tenant`
  throw new InvalidInput({ outcome: 'not_sent', details: [{ field: 'body.max_duration_seconds', message }] })
}
