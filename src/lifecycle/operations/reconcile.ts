import { isSwitch, type Operation } from '../../domain/operation.ts'
import type { Tracing } from '../../tracing/tracing.ts'
import { isSettled, type OperationEnds } from './operation-ends.ts'
import type { Ownership } from './ownership.ts'
import type { ReconcileParticipant } from './reconcile-participant.ts'
import type { ReconcileStart } from './reconcile-start.ts'
import type { ReconcileStop } from './reconcile-stop.ts'
import type { ReconcileSwitch } from './reconcile-switch.ts'

/** Finds out what an operation whose answer was lost came to, as far as the vendor shows. */
export interface Reconcile {
  /** One look, or one more try. True when the operation is settled by it, or was before. @throws what a Provider throws */
  (operation: Operation): Promise<boolean>
  /** When the next look at a start can settle it, in ms. */
  settledInMs(start: Operation): number
  /** An operation that has just become open. @param sentAtMs when it was sent, on the monotonic clock */
  note(operation: Operation, sentAtMs: number): void
}

/** The ways of the kinds, and what they have in common. */
export interface ReconcilerParts {
  ends: Pick<OperationEnds, 'find'>
  ownership: Ownership
  start: ReconcileStart
  stop: ReconcileStop
  switched: ReconcileSwitch
  participant: ReconcileParticipant
  tracing: Pick<Tracing, 'behind'>
}

export function reconciler(parts: ReconcilerParts): Reconcile {
  const { ends, ownership, start, stop, switched, participant, tracing } = parts
  const look = async (operation: Operation): Promise<boolean> => {
    const now = await ends.find(operation)
    if (isSettled(now)) return true
    ownership.note(operation, now)
    // A look at a start sends nothing, and the call of one that is unknown has ended.
    const isForAll = now?.kind === 'start' && now.state === 'unknown'
    if (!isForAll && !ownership.isOurs(operation)) return false
    if (isSwitch(operation.kind)) return switched(operation)
    if (operation.kind === 'add_participant') return participant(operation)
    return operation.kind === 'start' ? start(operation) : stop(operation)
  }
  const reconcile = (operation: Operation): Promise<boolean> => {
    const { id, kind, tenantId, trace } = operation
    const facts = { 'livegate.operation': id, 'livegate.operation.kind': kind, 'livegate.tenant': tenantId }
    return tracing.behind(trace?.parent ?? null, 'reconciliation', facts, () => look(operation))
  }
  reconcile.settledInMs = start.settledInMs
  reconcile.note = (operation: Operation, sentAtMs: number): void => {
    if (operation.kind === 'start') start.note(operation, sentAtMs)
    else if (operation.kind === 'stop') stop.note(operation, sentAtMs)
    else if (operation.kind === 'add_participant') participant.note(operation, sentAtMs)
  }
  return reconcile
}
