import type { Caller } from '../../domain/caller.ts'
import { wished } from '../../domain/ends/run-ends.ts'
import { RunNotFound, RunOver, RunWithoutMeeting } from '../../domain/refusals/failures.ts'
import { causeOf, type Run } from '../../domain/runs/run.ts'
import { shownRun } from '../../domain/runs/shown-run.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { LiveRoom } from '../broadcast/before-sending.ts'
import type { OpenRuns } from '../ledger/hub.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import type { Mutation } from '../operations/mutation.ts'
import type { ChangeEnd } from './change-end.ts'

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

/**
 * A tenant's wish for another end of one of its runs. The change, its event and its answer stand in one transaction.
 * @param seconds from the run's start; where they have passed already it ends at once
 * @throws RunNotFound, also for another tenant's; RunWithoutMeeting; RunOver; InvalidInput where the tenant may not have so long a run; AuditUnavailable;
 *   IdempotencyKeyInUse
 */
export type ChangeRun = (caller: Caller, runId: string, seconds: number) => Promise<Run>

export interface ChangeRunDeps {
  runs: Pick<BroadcastRuns, 'find'>
  openRuns: Pick<OpenRuns, 'nowFor'>
  changeEnd: ChangeEnd
  liveRoom: Pick<LiveRoom, 'expectAllowed'>
  auditTrail: Pick<AuditTrail, 'answered'>
}

export function changeRun({ runs, openRuns, changeEnd, liveRoom, auditTrail }: ChangeRunDeps): ChangeRun {
  return async (caller, runId, seconds) => {
    const run = await runs.find(caller.tenant.id, runId)
    if (run === null) throw new RunNotFound()
    if (run.meetingId === null) throw new RunWithoutMeeting()
    liveRoom.expectAllowed(caller.tenant.id, seconds)
    let isEnding = false
    const changed = await changeEnd(run, now => {
      isEnding = causeOf(now) !== null
      if (isEnding) return null
      const change = wished(now, seconds, openRuns.nowFor(now)) ?? {}
      const answered = { status: 200, livestreamId: now.livestreamId }
      return {
        change,
        write: (statements, after) =>
          auditTrail.answered(mutationOf(caller, now), { ...answered, data: shownRun(after), statements })
      }
    })
    if (changed === null || isEnding) throw new RunOver()
    return changed
  }
}

function mutationOf(caller: Caller, { upstream, meetingId }: Run): Mutation {
  return { caller, kind: 'update_run', upstream, meetingId }
}
