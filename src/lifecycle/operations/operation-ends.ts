import { subjectOfOperation, toAuditEvent } from '../../audit/ocsf.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Operation, StoredAnswer } from '../../domain/operation.ts'
import { type Failure, failureBody } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { type Engine, type Statement, writeIf } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { OperationEnd, Operations } from '../../store/tables/operations.ts'

export interface OperationEndsDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'find' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  /** Forgets what memory knows of a livestream whose row was written. */
  forget(livestreamId: string): void
  clock: Pick<Clock, 'now'>
}

/** Findings at the end of an operation: rows for the same transaction, and the livestream that they are about. */
export interface SeenAtEnd {
  rows?: Statement[]
  livestreamId?: string | null | undefined
}

/** Ends open operations, whatever their kind: each once, together with what was seen and its event. */
export interface OperationEnds {
  /** As its row is now. One that is not there yet waits to be written down: a stop that went on without the store. */
  find(operation: Operation): Promise<Operation | null>
  /** Whether it is settled: by hand, by another look, or by what was written down late. */
  isSettled(operation: Operation): Promise<boolean>
  /** True when it is settled by this, or was before. */
  end(operation: Operation, how: OperationEnd, seen?: SeenAtEnd): Promise<boolean>
  /** The end of an operation and its event, for a transaction of several; a conflict when it is settled by now. */
  statementsOf(operation: Operation, how: OperationEnd): Statement[]
}

export function operationEnds({ engine, operations, auditEvents, forget, clock }: OperationEndsDeps): OperationEnds {
  const find = ({ id }: Operation): Promise<Operation | null> => operations.find(id)

  function statementsOf(operation: Operation, how: OperationEnd): Statement[] {
    const nowMs = clock.now()
    const event = auditEvents.append(settledEvent(operation, how, nowMs))
    return [{ ...operations.ended(operation.id, how, nowMs), changes: 1 }, event]
  }

  async function end(operation: Operation, how: OperationEnd, seen: SeenAtEnd = {}): Promise<boolean> {
    const { rows = [], livestreamId } = seen
    const written = await writeIf(engine, [...rows, ...statementsOf(operation, how)])
    if (livestreamId != null) forget(livestreamId)
    return written || isSettled(await find(operation))
  }

  return { find, isSettled: async operation => isSettled(await find(operation)), end, statementsOf }
}

/** Whether a row says what became of its operation. */
export function isSettled(row: Operation | null): boolean {
  return row !== null && (row.state === 'done' || row.state === 'failed')
}

/** The answer to the caller of an operation that has failed. */
export function failedAnswer({ requestId }: Operation, failure: Failure): StoredAnswer {
  return { status: failure.status, body: { error: failureBody(failure, requestId) } }
}

export function meetingOf({ tenantId, upstream, meetingId }: Operation): OwnedMeeting {
  return { id: meetingId ?? '', tenantId, upstream }
}

/** The audit event of a reconciled operation, by the gateway itself, with the ids of the call that it was. */
function settledEvent(operation: Operation, how: OperationEnd, nowMs: number) {
  const { state, livestreamId, answer, upstreamStatus, reason: upstreamReason } = how
  const subject = subjectOfOperation(operation, { type: 'Gateway', uid: 'settling' }, livestreamId)
  const outcome = state === 'done' ? ('done' as const) : ('failed' as const)
  const status = (answer ?? operation.answer)?.status
  const type = operation.cause ?? 'settled'
  return toAuditEvent(subject, { outcome, status, type, upstreamStatus, upstreamReason }, nowMs)
}
