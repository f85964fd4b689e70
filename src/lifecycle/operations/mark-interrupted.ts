import { subjectOfOperation, toAuditEvent } from '../../audit/ocsf.ts'
import { canBeReconciled, type Operation } from '../../domain/operation.ts'
import { failureBody, OutcomeUnknown } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Conflict, type Engine, type Statement } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Operations } from '../../store/tables/operations.ts'

export interface MarkInterruptedDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'left' | 'claimed' | 'find' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  clock: Clock
}

/**
 * Takes over what nobody looks after any more: before the first call, and when another replica has fallen silent. Operations that were under
 * way there have an unknown outcome, and the audit log says so. Starts and stops among them can be settled (`reconcile-loop.ts`).
 * @param taken hears of each as soon as it is this replica's: where a later one fails, those before it are looked after all the same
 */
export async function markInterrupted(deps: MarkInterruptedDeps, taken: (operation: Operation) => void): Promise<void> {
  const { engine, operations } = deps
  for (const operation of await operations.left()) {
    const claim = operations.claimed(operation.id)
    try {
      const statements = [...claim, ...(operation.state === 'sent' ? interrupted(operation, deps) : [])]
      if (statements.length > 0) await engine.write(statements)
    } catch (error) {
      // It is another one's by now, or settled.
      if (error instanceof Conflict) continue
      throw error
    }
    taken(claim.length === 0 ? operation : ((await operations.find(operation.id)) ?? operation))
  }
}

function interrupted(operation: Operation, { operations, auditEvents, clock }: MarkInterruptedDeps): Statement[] {
  const { id, kind, requestId } = operation
  const subject = subjectOfOperation(operation, { type: 'Gateway', uid: 'gateway' })
  const event = toAuditEvent(subject, { outcome: 'unknown', type: 'gateway_restarted' }, clock.now())
  const failure = new OutcomeUnknown({ outcome: 'unknown' })
  const answer = canBeReconciled(kind)
    ? null
    : { status: failure.status, body: { error: failureBody(failure, requestId) } }
  return [operations.ended(id, { state: 'unknown', answer }, clock.now()), auditEvents.append(event)]
}
