import { randomUUID } from 'node:crypto'
import { toAuditEvent } from '../audit/ocsf.ts'
import type { Clock } from '../domain/clock.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Operation } from '../domain/operation.ts'
import type { AuditEvents } from '../store/audit-events.ts'
import type { Engine } from '../store/engine.ts'
import type { Operations } from '../store/operations.ts'
import { subjectOfOperation } from './mutation.ts'

export interface StopAgainDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'sent'>
  auditEvents: Pick<AuditEvents, 'append'>
  /** @param sentAtMs on the monotonic clock */
  settleLater(operation: Operation, sentAtMs: number): void
  /** The vendor's clock now, in epoch ms; null before its first answer. */
  vendorAtMs(upstream: string): number | null
  log: { error(facts: object, message: string): void }
  clock: Clock
}

/** The key's id in operations and events that no key has asked for. */
const gateway = 'gateway'

/**
 * Stops a meeting whose confirmed stop has not ended its run: an operation of the gateway's own, with intent and outcome on
 * record. It is sent like any other open stop, and a later start overtakes it.
 */
export function stopAgain(deps: StopAgainDeps): (meeting: OwnedMeeting) => Promise<boolean> {
  const { engine, operations, auditEvents, settleLater, log, clock } = deps

  return async ({ id: meetingId, tenantId, upstream }) => {
    const operation: Operation = {
      id: randomUUID(),
      tenantId,
      keyId: gateway,
      kind: 'stop',
      upstream,
      meetingId,
      livestreamId: null,
      state: 'unknown',
      requestId: `${gateway}-${randomUUID()}`,
      sentAtMs: clock.now(),
      vendorAtMs: deps.vendorAtMs(upstream),
      sentAgainAtMs: null,
      openStartId: null,
      upstreamStatus: null,
      reason: null,
      settledAtMs: null,
      idempotency: null,
      answer: null
    }
    const subject = subjectOfOperation(operation, { type: 'Gateway', uid: 'stopping' })
    const intent = toAuditEvent(subject, { outcome: 'pending', type: 'still_live' }, clock.now())
    const sentAtMs = clock.monotonic()
    try {
      await engine.write([operations.sent(operation), auditEvents.append(intent)])
    } catch (err) {
      log.error({ err, meeting_id: meetingId }, 'a stop that is to be sent again could not be recorded')
      return false
    }
    settleLater(operation, sentAtMs)
    return true
  }
}
