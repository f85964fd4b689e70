import { randomUUID } from 'node:crypto'
import { type Ending, type Subject, toAuditEvent } from '../audit/ocsf.ts'
import type { AuditEvent } from '../domain/audit-event.ts'
import type { Caller } from '../domain/caller.ts'
import type { Clock } from '../domain/clock.ts'
import { AuditUnavailable, Failure, type Outcome, StartUnsettled } from '../domain/failures.ts'
import {
  type Operation,
  type OperationKind,
  type OperationState,
  operations as operationIds
} from '../domain/operation.ts'
import type { AuditEvents } from '../store/audit-events.ts'
import { type Engine, type Statement, UniqueViolation } from '../store/engine.ts'
import type { Operations } from '../store/operations.ts'
import { Lateness } from './lateness.ts'

/** What a mutation is, for its row and its two events. */
export interface Mutation {
  caller: Caller
  kind: OperationKind
  meetingId: string | null
  /** The stop of a livestream goes on when it can't be recorded: its events wait in memory, and the log has them at once. */
  goesOn?: boolean
  /** What else belongs into its first transaction. */
  first?: Statement[]
}

/** What the work came to: the answer, its HTTP status, and what else belongs into the same transaction. */
export interface Done<T> {
  value: T
  status: number
  livestreamId?: string | null
  /** Of a meeting that the work has made. */
  meetingId?: string
  streamKeyRevealed?: boolean
  statements?: Statement[]
}

export interface RecorderDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'sent' | 'ended'>
  auditEvents: Pick<AuditEvents, 'append'>
  /** Takes what could not be written, and tries again until the store does. */
  repair(statements: Statement[]): void
  /** Forgets what memory knows of a livestream whose row was written. */
  forget(livestreamId: string): void
  log: { error(facts: object, message: string): void }
  clock: Clock
  /** A mutation's record must stand within this time; else the caller is refused, within a second, and nothing is sent. */
  writeWithinMs?: number
}

export interface Recorded {
  <T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T>
  /**
   * Says yes to a mutation for which nothing is sent, since it is so already or another call has done it: its one event stands
   * before the answer too. @throws AuditUnavailable when it can't be written
   */
  answered(mutation: Mutation, done: Omit<Done<unknown>, 'value' | 'statements'>): Promise<void>
  /** How many records are being written for longer than they may take: the store hangs. */
  late(): number
  /** Waits until no mutation is under way, also those whose caller has hung up. */
  idle(): Promise<void>
}

/**
 * No record, no work: writes the operation and the audit intent in one durable transaction, does the work, and writes the
 * outcome before the caller has its answer.
 * @throws AuditUnavailable when it can't be written; StartUnsettled when the meeting has an open start; what the work throws
 */
export function recorder(deps: RecorderDeps): Recorded {
  const { engine, operations, auditEvents, repair, forget, log, clock, writeWithinMs = 900 } = deps
  const underWay = new Set<Promise<unknown>>()
  const lateness = new Lateness(writeWithinMs)

  function recorded<T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T> {
    const running = run(mutation, work)
    underWay.add(running)
    return running.finally(() => underWay.delete(running))
  }
  recorded.answered = answered
  recorded.late = () => lateness.late
  recorded.idle = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.allSettled(underWay)
  }
  return recorded

  async function run<T>(mutation: Mutation, work: () => Promise<Done<T>>): Promise<T> {
    const { caller, goesOn = false, first = [] } = mutation
    const startedMs = clock.monotonic()
    const operation: Operation = {
      id: randomUUID(),
      tenantId: caller.tenant.id,
      keyId: caller.key.id,
      kind: mutation.kind,
      meetingId: mutation.meetingId,
      livestreamId: null,
      state: 'sent',
      requestId: caller.requestId,
      sentAtMs: clock.now(),
      settledAtMs: null
    }
    const sent = [...first, operations.sent(operation)]
    const event = (ending: Ending, made: Made = {}) => toAuditEvent(subjectOf(mutation, made), ending, clock.now())

    try {
      await begin(sent, operation, event, goesOn)
    } catch (cause) {
      if (cause instanceof UniqueViolation && mutation.kind === 'start') {
        throw new StartUnsettled({ cause, retryAfterSeconds: 1 })
      }
      if (!goesOn) throw new AuditUnavailable({ cause, outcome: 'not_sent' })
      keep(sent, event({ outcome: 'pending' }), cause)
    }
    caller.markRecorded()

    let done: Done<T>
    try {
      done = await work()
    } catch (error) {
      const failure = error instanceof Failure ? error : null
      const outcome = failure?.outcome ?? (failure === null ? 'unknown' : 'failed')
      const ending = event({
        outcome: failure !== null && failure.status < 500 ? 'refused' : outcome,
        status: failure?.status ?? 500,
        type: failure?.type ?? 'internal',
        upstreamStatus: failure?.upstreamStatus,
        durationMs: clock.monotonic() - startedMs
      })
      // The caller hears of the work's failure, not of a second one in writing it down.
      await end(operation, goesOn, stateAfter(outcome), null, ending)
      throw error
    }

    const ending = event(
      {
        outcome: done.status < 400 ? 'done' : 'refused',
        status: done.status,
        streamKeyRevealed: done.streamKeyRevealed,
        durationMs: clock.monotonic() - startedMs
      },
      done
    )
    const written = await end(operation, goesOn, 'done', done.livestreamId ?? null, ending, done.statements)
    if (!written && !goesOn) {
      throw new AuditUnavailable({ outcome: 'unknown', message: 'It was sent, but its outcome could not be recorded' })
    }
    if (done.livestreamId != null) forget(done.livestreamId)
    return done.value
  }

  async function answered(mutation: Mutation, done: Omit<Done<unknown>, 'value' | 'statements'>): Promise<void> {
    const { caller, goesOn = false, first = [] } = mutation
    const { status, streamKeyRevealed } = done
    const event = toAuditEvent(subjectOf(mutation, done), { outcome: 'done', status, streamKeyRevealed }, clock.now())
    const written = engine.write([...first, auditEvents.append(event)], goesOn ? {} : { withinMs: writeWithinMs })
    try {
      if (await lateness.isLate(written)) {
        if (!goesOn) throw new Error(`not written within ${writeWithinMs} ms`)
        tellOf(event)
        written.catch(cause => keep(first, event, cause))
      }
    } catch (cause) {
      if (!goesOn) throw new AuditUnavailable({ cause, outcome: 'not_sent' })
      keep(first, event, cause)
    }
    caller.markRecorded()
  }

  /** The intent, in time. One that is written after its caller was told otherwise is closed at once: nothing was sent. */
  async function begin(
    sent: Statement[],
    operation: Operation,
    event: (ending: Ending) => AuditEvent,
    goesOn: boolean
  ): Promise<void> {
    const intent = event({ outcome: 'pending' })
    const statements = [...sent, auditEvents.append(intent)]
    // What goes on wants its record however late; all else must not be recorded as sent when its caller was refused.
    const written = engine.write(statements, goesOn ? {} : { withinMs: writeWithinMs })
    if (!(await lateness.isLate(written))) return
    if (goesOn) {
      tellOf(intent)
      written.catch(cause => keep(sent, intent, cause))
    } else {
      const ending = { outcome: 'not_sent', type: 'audit_unavailable' } as const
      const close = () => [
        operations.ended(operation.id, 'failed', null, clock.now()),
        auditEvents.append(event(ending))
      ]
      // If it was not written it is as its caller was told.
      written.then(() => engine.write(close()).catch(() => repair(close()))).catch(() => {})
      throw new Error(`not written within ${writeWithinMs} ms`)
    }
  }

  /** True when it stands in time. Else it is still being written, or waits for the store to be repaired: false. Never throws. */
  async function end(
    operation: Operation,
    goesOn: boolean,
    state: OperationState,
    livestreamId: string | null,
    ending: AuditEvent,
    statements: Statement[] = []
  ): Promise<boolean> {
    const ended = operations.ended(operation.id, state, livestreamId, clock.now())
    // An outcome never stands before its intent: while that one waits for repair, this one has to wait behind it.
    const outcome = [...statements, goesOn ? { ...ended, changes: 1 } : ended]
    const written = engine.write([...outcome, auditEvents.append(ending)]).catch(cause => {
      keep(outcome, ending, cause)
      return null
    })
    if (!(await lateness.isLate(written))) return (await written) !== null
    tellOf(ending)
    return false
  }

  /** Whatever becomes of this process and its disk, the operational log has it. */
  function tellOf(event: AuditEvent): void {
    log.error({ event }, 'an audit event is not written yet: the store is slow')
  }

  function keep(statements: Statement[], event: AuditEvent, cause: unknown): void {
    log.error({ err: cause, event }, 'an audit event could not be written: it is kept and tried again')
    repair([...statements, auditEvents.append(event)])
  }
}

function stateAfter(outcome: Outcome): OperationState {
  return outcome === 'unknown' ? 'unknown' : 'failed'
}

type Made = Pick<Done<unknown>, 'meetingId' | 'livestreamId'>

function subjectOf({ caller, kind, ...mutation }: Mutation, made: Made): Subject {
  const meetingId = made.meetingId ?? mutation.meetingId
  return {
    ...operationIds[kind],
    tenantId: caller.tenant.id,
    keyId: caller.key.id,
    keyFingerprint: caller.keyFingerprint,
    address: caller.address,
    requestId: caller.requestId,
    resources: [
      ...(meetingId === null ? [] : [{ type: 'meeting' as const, uid: meetingId }]),
      ...(made.livestreamId == null ? [] : [{ type: 'livestream' as const, uid: made.livestreamId }])
    ]
  }
}
