import { subjectOfOperation, toAuditEvent } from '../../audit/ocsf.ts'
import { canBeReconciled, type Operation } from '../../domain/operation.ts'
import { failureBody, OutcomeUnknown } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Operations } from '../../store/tables/operations.ts'

export interface MarkInterruptedDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'takeOver' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  clock: Clock
}

/**
 * Takes over what nobody looks after any more: before the first call, and when another replica has fallen silent. Operations that were under
 * way there have an unknown outcome, and the audit log says so. Gives all that were taken over: starts and stops among them can be settled
 * (`reconcile-loop.ts`).
 */
export async function markInterrupted({
  engine,
  operations,
  auditEvents,
  clock
}: MarkInterruptedDeps): Promise<Operation[]> {
  const open = await operations.takeOver()
  for (const operation of open.filter(({ state }) => state === 'sent')) {
    const { id, kind, requestId } = operation
    const subject = subjectOfOperation(operation, { type: 'Gateway', uid: 'gateway' })
    const event = toAuditEvent(subject, { outcome: 'unknown', type: 'gateway_restarted' }, clock.now())
    const failure = new OutcomeUnknown({ outcome: 'unknown' })
    const answer = canBeReconciled(kind)
      ? null
      : { status: failure.status, body: { error: failureBody(failure, requestId) } }
    await engine.write([operations.ended(id, { state: 'unknown', answer }, clock.now()), auditEvents.append(event)])
  }
  return open
}
