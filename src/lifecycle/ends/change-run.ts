import { type Subject, toAuditEvent } from '../../audit/ocsf.ts'
import type { Caller } from '../../domain/caller.ts'
import { wished } from '../../domain/ends/run-ends.ts'
import { AuditUnavailable, RunNotFound, RunOver } from '../../domain/refusals/failures.ts'
import { causeOf, type Run } from '../../domain/run.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { AuditEvents } from '../../store/tables/audit-events.ts'
import type { BroadcastRuns } from '../../store/tables/broadcast-runs.ts'
import type { ChangeEnd } from './change-end.ts'
import type { LiveRoom } from './live-room.ts'
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

/**
 * A tenant's wish for another end of one of its runs. The change and its event stand in one transaction.
 * @param seconds from the run's start; where they have passed already it ends at once
 * @throws RunNotFound, also for another tenant's; RunOver; InvalidInput where the tenant may not have so long a run; AuditUnavailable
 */
export type ChangeRun = (caller: Caller, runId: string, seconds: number) => Promise<Run>

export interface ChangeRunDeps {
  runs: Pick<BroadcastRuns, 'find'>
  openRuns: Pick<OpenRuns, 'nowFor'>
  changeEnd: ChangeEnd
  liveRoom: Pick<LiveRoom, 'expectAllowed'>
  auditEvents: Pick<AuditEvents, 'append'>
  clock: Pick<Clock, 'now'>
}

export function changeRun(deps: ChangeRunDeps): ChangeRun {
  const { runs, openRuns, changeEnd, liveRoom, auditEvents, clock } = deps

  return async (caller, runId, seconds) => {
    const run = await runs.find(caller.tenant.id, runId)
    if (run === null) throw new RunNotFound()
    liveRoom.expectAllowed(caller.tenant.id, seconds)
    let isEnding = false
    const changed = await changeEnd(run, now => {
      isEnding = causeOf(now) !== null
      if (isEnding) return null
      const event = toAuditEvent(subjectOf(caller, now), { outcome: 'done', status: 200 }, clock.now())
      return { change: wished(now, seconds, openRuns.nowFor(now)) ?? {}, also: [auditEvents.append(event)] }
    }).catch(cause => {
      throw new AuditUnavailable({ cause, outcome: 'not_sent' })
    })
    if (changed === null || isEnding) throw new RunOver()
    caller.markAudited()
    return changed
  }
}

function subjectOf(caller: Caller, { meetingId, livestreamId }: Run): Subject {
  return {
    action: 'updateRun',
    method: 'PATCH',
    tenantId: caller.tenant.id,
    keyId: caller.key.id,
    keyFingerprint: caller.keyFingerprint,
    idempotencyKeyFingerprint: caller.idempotency?.keyFingerprint,
    address: caller.address,
    requestId: caller.requestId,
    resources: [
      ...(meetingId === null ? [] : [{ type: 'meeting' as const, uid: meetingId }]),
      ...(livestreamId === null ? [] : [{ type: 'livestream' as const, uid: livestreamId }])
    ]
  }
}
