import { toAuditEvent } from '../audit/ocsf.ts'
import type { Clock } from '../domain/clock.ts'
import { type Operation, operations as operationIds } from '../domain/operation.ts'
import type { AuditEvents } from '../store/audit-events.ts'
import type { Engine } from '../store/engine.ts'
import type { Operations } from '../store/operations.ts'

export interface RecoverDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'leftSent' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  clock: Clock
}

/**
 * Before the first call: operations that were under way when the last process ended have an unknown outcome, and the audit log
 * says so. A start among them holds its meeting until the vendor shows what became of it (`start.ts`).
 */
export async function recover({ engine, operations, auditEvents, clock }: RecoverDeps): Promise<Operation[]> {
  const left = await operations.leftSent()
  for (const operation of left) {
    const { id, kind, tenantId, keyId, requestId, meetingId } = operation
    const resources = meetingId === null ? [] : [{ type: 'meeting' as const, uid: meetingId }]
    const actor = { type: 'Gateway' as const, uid: 'gateway' }
    const subject = { ...operationIds[kind], tenantId, keyId, requestId, resources, actor, address: null }
    const event = toAuditEvent(subject, { outcome: 'unknown', type: 'gateway_restarted' }, clock.now())
    await engine.write([operations.ended(id, 'unknown', null, clock.now()), auditEvents.append(event)])
  }
  return left
}
