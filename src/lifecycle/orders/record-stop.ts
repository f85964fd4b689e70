import { subjectOfOperation, toAuditEvent } from '../../audit/ocsf.ts'
import { placeOf } from '../../domain/id.ts'
import { type Operation, ownStop } from '../../domain/operation.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { type Engine, type Statement, writeIf } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { OrderedStop } from '../../store/tables/runs/ordered-stops.ts'
import type { StopOrder, StopOrders } from '../../store/tables/runs/stop-orders.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { MeetingQueue } from '../broadcast/meeting-queue.ts'

export interface RecordStopDeps {
  engine: Pick<Engine, 'write'>
  orders: Pick<StopOrders, 'sent' | 'closed'>
  operations: Pick<Operations, 'sent'>
  auditEvents: Pick<AuditEvents, 'append'>
  runs: Pick<BroadcastRuns, 'find'>
  upstreams: Upstreams
  queue: Pick<MeetingQueue<unknown, unknown>, 'inTurn'>
  /** Has it sent at once, and then repeated until it is confirmed. @param sentAtMs on the monotonic clock */
  repeat(operation: Operation, sentAtMs: number): void
  clock: Clock
}

/** The key's id in operations that an operator has ordered. */
const operator = 'operator'

/**
 * Records the stop of one meeting for an order: an operation of its own, with its intent on record, that is sent and repeated like any
 * open stop. It stops the run that went on when the order was given. @throws what the store throws
 */
export type RecordStop = (order: StopOrder, stop: OrderedStop) => Promise<void>

export function recordStop(deps: RecordStopDeps): RecordStop {
  const { engine, orders, operations, auditEvents, runs, upstreams, queue, repeat, clock } = deps

  return async (order, stop) => {
    const { meetingId, upstream } = stop
    if (meetingId === null)
      return close(stop, 'left', 'it has no meeting, so the provider has no stop for it: disable it')
    if (!upstreams.has(upstream)) return close(stop, 'left', `the upstream ${upstream} is not configured`)
    const recorded = await queue.inTurn(placeOf({ id: meetingId, upstream }), ({ waited }) =>
      write(order, stop, waited)
    )
    // Only now is the turn free for it.
    if (recorded !== null) repeat(recorded, clock.monotonic() - (clock.now() - recorded.sentAtMs))
  }

  /** Null when nothing is to be sent for it, or something is already. */
  async function write(order: StopOrder, stop: OrderedStop, waited: boolean): Promise<Operation | null> {
    const run = stop.runId === null ? null : await runs.find(stop.tenantId, stop.runId)
    // A start that came to nothing may have found another run, which goes on.
    if (run !== null && run.endedAtMs !== null && run.livestreamId !== null) {
      await close(stop, 'stopped', 'it was over before its stop was sent')
      return null
    }
    // A start that held the turn was under way when the order was given. Its run may have begun since.
    const operation = operationOf(order, stop, waited ? clock.now() : Math.min(clock.now(), order.createdAtMs))
    const subject = subjectOfOperation(operation, { type: 'Operator', uid: order.operator })
    const intent = toAuditEvent(subject, { outcome: 'pending', type: order.reason }, clock.now())
    const rows = [orders.sent(stop, operation.id), operations.sent(operation), auditEvents.append(intent)]
    return (await writeIf(engine, rows)) ? operation : null
  }

  async function close(stop: OrderedStop, state: 'stopped' | 'left', reason: string): Promise<void> {
    const row: Statement = orders.closed(stop, state, reason)
    await writeIf(engine, [row])
  }
}

function operationOf(
  { requestId, reason }: StopOrder,
  { tenantId, upstream, meetingId, runId }: OrderedStop,
  sentAtMs: number
) {
  return ownStop({ tenantId, keyId: operator, upstream, meetingId, requestId, sentAtMs, runId, cause: reason })
}
