import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { BroadcastRuns } from '../../store/tables/broadcast-runs.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Prepared } from '../ledger/prepared.ts'
import { placeOfRun } from '../operations/mutation.ts'
import type { LiveOutcome } from './send-start.ts'

/** The start that has come to something: the id of its operation, and that of the run that it was to begin. */
interface OwnStart {
  meeting: OwnedMeeting
  operationId: string
  plannedId: string
}

/** Runs of starts in the ledger. */
export interface RunsOfStarts {
  /** The run that this start has begun, or that was live already, and the moves that belong to the outcome. */
  begun(
    start: OwnStart,
    outcome: LiveOutcome
  ): Promise<Pick<Prepared, 'statements' | 'committed'> & { runId: string | null }>
  /** The run that goes on; null where the ledger does not know it. */
  current(meeting: OwnedMeeting, livestreamId: string): Promise<string | null>
}

export interface RunsOfStartsDeps {
  ledger: Pick<Ledger, 'prepare'>
  runs: Pick<BroadcastRuns, 'lastOf'>
  clock: Pick<Clock, 'now'>
}

export function runsOfStarts({ ledger, runs, clock }: RunsOfStartsDeps): RunsOfStarts {
  async function current({ upstream, tenantId }: OwnedMeeting, livestreamId: string): Promise<string | null> {
    const run = await runs.lastOf(upstream, livestreamId).catch(() => null)
    return run !== null && run.endedAtMs === null && run.tenantId === tenantId ? run.id : null
  }

  return {
    current,

    async begun({ meeting, operationId, plannedId }, { livestream, how }) {
      const { id: livestreamId, status, playback_url: playbackUrl = null } = livestream
      const place = placeOfRun(meeting, operationId, clock.now())
      if (how === 'started') {
        const begun = await ledger.prepare({ kind: 'started', ...place, livestreamId, status, playbackUrl })
        return { ...begun, runId: begun.run?.id ?? plannedId }
      }
      // The look that has shown it may have given it the row of this start.
      const left = await ledger.prepare({ kind: 'refused', ...place })
      const isItsOwn = left.run?.livestreamId === livestreamId
      return { ...left, runId: isItsOwn ? plannedId : await current(meeting, livestreamId) }
    }
  }
}
