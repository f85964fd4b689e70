import { toAuditEvent } from '../audit/ocsf.ts'
import type { Clock } from '../domain/clock.ts'
import { failureBody, OutcomeUnknown } from '../domain/failures.ts'
import { canBeSettled, type Operation } from '../domain/operation.ts'
import type { AuditEvents } from '../store/audit-events.ts'
import type { Engine } from '../store/engine.ts'
import type { Operations } from '../store/operations.ts'
import { subjectOfOperation } from './mutation.ts'

export interface RecoverDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'unsettled' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  clock: Clock
}

/**
 * Before the first call: operations that were under way when the last process ended have an unknown outcome, and the audit log
 * says so. Gives all whose outcome is unknown: starts and stops among them can be settled (`open-operations.ts`).
 */
export async function recover({ engine, operations, auditEvents, clock }: RecoverDeps): Promise<Operation[]> {
  const open = await operations.unsettled()
  for (const operation of open.filter(({ state }) => state === 'sent')) {
    const { id, kind, requestId } = operation
    const subject = subjectOfOperation(operation, { type: 'Gateway', uid: 'gateway' })
    const event = toAuditEvent(subject, { outcome: 'unknown', type: 'gateway_restarted' }, clock.now())
    const failure = new OutcomeUnknown({ outcome: 'unknown' })
    const answer = canBeSettled(kind)
      ? null
      : { status: failure.status, body: { error: failureBody(failure, requestId) } }
    await engine.write([operations.ended(id, { state: 'unknown', answer }, clock.now()), auditEvents.append(event)])
  }
  return open
}
