import type { AuditResource } from '../../domain/audit/audit-event.ts'
import type { Caller } from '../../domain/caller.ts'
import { canBeReconciled, type Operation, type OperationKind } from '../../domain/operation.ts'
import {
  type Failure,
  failureBody,
  IdempotencyKeyInUse,
  type Outcome,
  ParticipantUnsettled,
  RotationUnderWay,
  StartUnsettled
} from '../../domain/refusals/failures.ts'
import type { Statement, UniqueViolation } from '../../store/engine/engine.ts'
import type { OperationEnd } from '../../store/tables/operations.ts'

/** A mutation, as its row and its two events need it. */
export interface Mutation {
  caller: Caller
  kind: OperationKind
  /** The vendor account that is asked. */
  upstream: string
  meetingId: string | null
  /** The livestream of an operation that names it by its own id. */
  livestreamId?: string
  /** The vendor's clock now, in epoch ms, as far as we know it. */
  vendorAtMs?: number | null
  /** Id of its operation, where other rows name it. */
  id?: string
  /** The run that a start begins, or is answered with. */
  runId?: string | null
  /** Keyed fingerprint of the participant that it adds: of those that are open there is one. */
  participant?: string
  /** Rows that belong into the transaction of its intent. */
  rows?: Statement[]
  /** They undo those where the intent is written too late to be sent. */
  unsent?: Statement[]
  /** Things besides meeting and livestream that its events name. */
  resources?: AuditResource[]
  /** The stop of a livestream goes on when it can't be recorded: its events wait in memory, and the log has them at once. */
  goesOn?: boolean
}

/** The result of the work: the answer, its HTTP status, and the rows that belong into the same transaction. */
export interface Done<T> {
  value: T
  status: number
  /** The `data` of the answer, without secrets: for a call that asks the same again. */
  data: unknown
  livestreamId?: string | null
  /** A meeting that the work has made. */
  meetingId?: string
  /** Other things that the work has made. */
  resources?: AuditResource[]
  streamKeyRevealed?: boolean
  /** The vendor has called this stop a success. */
  confirmed?: OperationEnd['confirmed']
  /** The caller is answered, but something may still go on: the operation stays open until a later look agrees. */
  isWatched?: boolean
  /** Told to the caller instead of `data`. */
  failure?: Failure
  /** The vendor's refusal, though a look has shown that the meeting is as it was wanted: for the operator. */
  refused?: Failure | undefined
  statements?: Statement[]
  /** The run, where it is another than the mutation has named. */
  runId?: string | null
}

/** The ids of the resources that a mutation has made. */
export type Made = Pick<Done<unknown>, 'meetingId' | 'livestreamId' | 'resources'>

/** Another process was faster: with a start of the meeting, with this participant, with this idempotency key, or with the rotation of this key. */
export function inUse(cause: UniqueViolation): Failure {
  const options = { cause, outcome: 'not_sent' as const, retryAfterSeconds: 1 }
  if (cause.reason.includes('predecessor')) return new RotationUnderWay(options)
  if (cause.reason.includes('participant')) return new ParticipantUnsettled(options)
  return cause.reason.includes('idempotency') ? new IdempotencyKeyInUse(options) : new StartUnsettled(options)
}

/** Whether something happened: as the failure of the work says, or as its status does. */
export function outcomeOf({ outcome, status }: Failure): Outcome {
  return outcome ?? (status < 500 ? 'failed' : 'unknown')
}

/** How an operation whose work has failed ends, or stands. */
export function endAfter(outcome: Outcome, failure: Failure, operation: Operation): OperationEnd {
  const { upstreamStatus, upstreamReason } = failure
  return { ...standingAfter(outcome, failure, operation), upstreamStatus, reason: upstreamReason }
}

function standingAfter(outcome: Outcome, failure: Failure, { kind, requestId }: Operation): OperationEnd {
  if (outcome === 'not_sent') return { state: 'failed', freesKey: true }
  const answer = {
    status: failure.status,
    body: { error: failureBody(failure, requestId, outcomeShown(outcome, failure)) }
  }
  if (outcome === 'failed') return { state: 'failed', answer }
  // An operation that the vendor can't be asked about stays as it is.
  return canBeReconciled(kind) ? { state: 'unknown' } : { state: 'unknown', answer }
}

/** Every 5xx says whether it happened. */
function outcomeShown(outcome: Outcome, { status, outcome: own }: Failure): Outcome | undefined {
  return status < 500 ? own : outcome
}
