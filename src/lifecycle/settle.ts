import { toAuditEvent } from '../audit/ocsf.ts'
import type { Clock } from '../domain/clock.ts'
import { type Failure, failureBody, StartUnsettled, UpstreamFailed, UpstreamRefused } from '../domain/failures.ts'
import { type Livestream, type LivestreamWithKey, withoutKey } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Operation, StoredAnswer } from '../domain/operation.ts'
import type { AuditEvents } from '../store/audit-events.ts'
import { type Engine, type Statement, writeIf } from '../store/engine.ts'
import type { Livestreams } from '../store/livestreams.ts'
import type { OperationEnd, Operations } from '../store/operations.ts'
import type { Upstreams } from '../upstream/provider.ts'
import { type FindActive, providerOf } from './active.ts'
import type { ActiveReads } from './active-reads.ts'
import type { Deadline } from './deadline.ts'
import { beganAfter, type FindStarted } from './evidence.ts'
import type { Motion } from './motion.ts'
import { subjectOfOperation } from './mutation.ts'

export interface SettleDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'find' | 'ended' | 'openStart' | 'hadOpenStart' | 'startedSince' | 'unconfirmedStops'>
  livestreams: Pick<Livestreams, 'observed'>
  auditEvents: Pick<AuditEvents, 'append'>
  upstreams: Upstreams
  findActive: FindActive
  changed: ActiveReads['changed']
  findStarted: FindStarted
  /** Whether the meeting is still the tenant's. */
  holds(meeting: OwnedMeeting): Promise<boolean>
  motion: Pick<Motion<unknown, unknown>, 'inTurn' | 'stoppedAtMs'>
  /** Forgets what memory knows of a livestream whose row was written. */
  forget(livestreamId: string): void
  clock: Clock
  deadline: Deadline
  deadlineMs: number
}

/** What a start or a stop whose answer was lost came to, as far as the vendor shows. */
export interface Settle {
  /** One look, or one more try. True when the operation is settled by it, or was before. Throws what a Provider throws. */
  (operation: Operation): Promise<boolean>
  /** Ends a stop that is still being repeated, because somebody wants the meeting live again. */
  overtake(stop: Operation): Promise<boolean>
  /** A stop was confirmed: those of before that are still being repeated have nothing left to do. */
  confirmStops(meetingId: string): Promise<void>
  /** When the next look at a start can settle it, in ms. */
  settledInMs(start: Operation): number
}

/** Two looks so far apart that show nothing: then the start has not come to anything. */
const looksApartMs = 5_000
const rememberedLooks = 10_000

export function settler(deps: SettleDeps): Settle {
  const { operations, livestreams, findActive, findStarted, motion, upstreams, clock, deadline, deadlineMs } = deps
  /** Of starts, on the monotonic clock: the first look, and the first that counts. Forgotten at a restart: then two more. */
  const looks = new Map<string, { sinceMs: number; nothingAtMs: number | null }>()

  async function settle(operation: Operation): Promise<boolean> {
    if (await isSettled(operation)) return true
    return operation.kind === 'start' ? settleStart(operation) : settleStop(operation)
  }

  settle.overtake = overtake
  settle.confirmStops = confirmStops
  settle.settledInMs = (start: Operation): number => {
    const nothingAtMs = looks.get(start.id)?.nothingAtMs ?? null
    if (nothingAtMs !== null) return Math.max(0, nothingAtMs + looksApartMs - clock.monotonic())
    return Math.max(0, deadlineMs - openForMs(start)) + looksApartMs
  }
  return settle

  /** A clock that was set back must not make it less. */
  function openForMs({ id, sentAtMs }: Operation): number {
    const nowMs = clock.monotonic()
    return Math.max(clock.now() - sentAtMs, nowMs - (looks.get(id)?.sinceMs ?? nowMs))
  }

  async function settleStart(operation: Operation): Promise<boolean> {
    const meeting = meetingOf(operation)
    const lookedAtMs = clock.monotonic()
    const isLate = openForMs(operation) >= deadlineMs
    const found = await findStarted(meeting, operation.sentAtMs, deadline())
    if (found !== null) return end(operation, doneStart(found), found)
    const look = looks.get(operation.id) ?? { sinceMs: lookedAtMs, nothingAtMs: null }
    if (looks.size >= rememberedLooks) looks.clear()
    looks.set(operation.id, look)
    // What was sent may still be under way to the vendor.
    if (!isLate) return false
    look.nothingAtMs ??= lookedAtMs
    if (lookedAtMs - look.nothingAtMs < looksApartMs) return false
    const failure = new UpstreamFailed({ outcome: 'failed', message: 'The livestream provider did not start it' })
    const answer = { status: failure.status, body: { error: failureBody(failure, operation.requestId) } }
    return end(operation, { state: 'failed', answer })
  }

  /** Stops are repeated until nothing is live, and nothing can come any more of a start that was open. */
  async function settleStop(operation: Operation): Promise<boolean> {
    const meeting = meetingOf(operation)
    return motion.inTurn(meeting.id, async () => {
      // While it waited for its turn somebody may have started again.
      if (await isSettled(operation)) return true
      if (await operations.startedSince(operation)) return overtake(operation)
      if (!(await deps.holds(meeting))) return giveUp(operation, 'The meeting is no longer the one of this tenant')
      // Of several the last one is repeated, and speaks for all.
      const stops = await operations.unconfirmedStops(meeting.id)
      const place = stops.findIndex(({ id }) => id === operation.id)
      if (place >= 0 && place < stops.length - 1) return false
      // Asked before the stop goes out: a start that is settled meanwhile may have begun something after it.
      const openStart = await operations.openStart(meeting.id)
      const signal = deadline()
      const active = await findActive(meeting, 'stop', signal)
      if (active !== null && (await isNewer(active, operation, meeting, signal))) return overtake(operation)
      // Also when nothing is shown: a vendor may hide a run that is not on air yet. But then its failure says nothing.
      const stopping = providerOf(upstreams, meeting, 'stop').stop(meeting.id, signal)
      const { stopped } = await (active === null ? stopping.catch(() => ({ stopped: false })) : stopping)
      if (!stopped && (await findActive(meeting, 'stop', signal)) !== null) return false
      motion.stoppedAtMs.set(meeting.id, clock.monotonic())
      deps.changed(meeting, null)
      if (openStart !== null) return false
      await confirmStops(meeting.id)
      return end(operation, doneStop)
    })
  }

  /** A browser may have begun what is live now, after the stop: nobody has said that this one is to end. */
  async function isNewer(
    active: Livestream,
    stop: Operation,
    meeting: OwnedMeeting,
    signal: AbortSignal
  ): Promise<boolean> {
    // What became of a start that was open when the stop was sent is what the stop was for, however late it began.
    if (await operations.hadOpenStart(stop)) return false
    return beganAfter(providerOf(upstreams, meeting, 'stop'), active.id, stop.sentAtMs, signal)
  }

  /** Nothing is live: then no earlier stop has anything left to do. */
  async function confirmStops(meetingId: string): Promise<void> {
    for (const stop of await operations.unconfirmedStops(meetingId)) await end(stop, doneStop)
  }

  /** The last word counts: a stop that nobody has confirmed must not end what was started, or wanted, after it. */
  function overtake(stop: Operation): Promise<boolean> {
    return giveUp(stop, 'A later start of this meeting has overtaken it')
  }

  async function giveUp(stop: Operation, message: string): Promise<boolean> {
    const failure = new UpstreamRefused({ outcome: 'failed', message })
    const answer = { status: failure.status, body: { error: failureBody(failure, stop.requestId) } }
    return end(stop, { state: 'failed', answer })
  }

  /** By hand, by another look, or by what was written down late. */
  async function isSettled({ id }: Operation): Promise<boolean> {
    const now = await operations.find(id)
    // One that is not there yet waits to be written down: a stop that went on without the store.
    return now !== null && (now.state === 'done' || now.state === 'failed')
  }

  /** The operation, what was seen, and the event of it: together, and once. */
  async function end(operation: Operation, how: OperationEnd, seen?: LivestreamWithKey): Promise<boolean> {
    const { id, tenantId, upstream, meetingId } = operation
    const nowMs = clock.now()
    const rows: Statement[] =
      seen === undefined
        ? []
        : livestreams.observed({ id: seen.id, tenantId, upstream, meetingId }, withoutKey(seen), nowMs)
    const event = deps.auditEvents.append(settledEvent(operation, how, nowMs))
    const written = await writeIf(deps.engine, [...rows, { ...operations.ended(id, how, nowMs), changes: 1 }, event])
    if (seen !== undefined) {
      deps.forget(seen.id)
      deps.changed(meetingOf(operation), seen)
    }
    looks.delete(id)
    return written || isSettled(operation)
  }
}

/** What every stop is answered with. */
export const stoppedData = { message: 'Stopped live stream successfully' }

const doneStop: OperationEnd = { state: 'done', answer: { status: 200, body: { data: stoppedData } } }

/** The start that somebody waits for, as if its own answer had come. */
function doneStart(livestream: LivestreamWithKey): OperationEnd {
  const answer: StoredAnswer = { status: 201, body: { data: withoutKey(livestream) } }
  return { state: 'done', livestreamId: livestream.id, answer }
}

/** That an earlier start holds the meeting: for whoever wants to start it again. */
export function unsettled(inMs: number): Failure {
  return new StartUnsettled({ outcome: 'not_sent', retryAfterSeconds: Math.max(1, Math.ceil(inMs / 1_000)) })
}

function meetingOf({ tenantId, upstream, meetingId }: Operation): OwnedMeeting {
  return { id: meetingId ?? '', tenantId, upstream }
}

/** By the gateway itself, with the ids of the call that it settles. */
export function settledEvent(operation: Operation, { state, livestreamId, answer }: OperationEnd, nowMs: number) {
  const subject = subjectOfOperation(operation, { type: 'Gateway', uid: 'settling' }, livestreamId)
  const outcome = state === 'done' ? ('done' as const) : ('failed' as const)
  return toAuditEvent(subject, { outcome, status: answer?.status, type: 'settled' }, nowMs)
}
