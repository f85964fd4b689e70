import type { OperationState, StoredAnswer } from '../../../domain/operation.ts'
import type { Statement } from '../../engine/engine.ts'
import type { Store } from '../../store.ts'

/** A meeting that an order is to stop, or a livestream without one. */
export interface OrderedStop {
  readonly orderId: string
  readonly tenantId: string
  readonly upstream: string
  /** Unique in its order: the meeting's id, or the livestream's where it has none, or where the meeting has several. */
  readonly place: string
  readonly meetingId: string | null
  readonly livestreamId: string | null
  readonly runId: string | null
}

/**
 * State of an ordered stop. `waiting`: nothing is recorded for it yet. `sent`: its stop is repeated until it is confirmed.
 * `stopped`: it was confirmed, or two looks show nothing. `left`: something goes on, or may, and nothing more is sent for this order.
 */
export type OrderedStopState = 'waiting' | 'sent' | 'stopped' | 'left'

export interface OrderedStopNow extends OrderedStop {
  readonly operationId: string | null
  readonly state: OrderedStopState
  /** Why it was left, or is not stopped yet; null where there is nothing to say. */
  readonly reason: string | null
}

/** The table `ordered_stops`: each stop of an order, and how it stands. */
export function orderedStopsIn({ engine, sql }: Store) {
  /** An ordered stop that nothing is recorded for yet. @throws Conflict when that is not so any more */
  const waiting = ({ orderId, upstream, place }: OrderedStop) =>
    sql
      .updateTable('ordered_stops')
      .where('order_id', '=', orderId)
      .where('upstream', '=', upstream)
      .where('place', '=', place)
      .where('state', '=', 'waiting')

  return {
    add(stops: readonly OrderedStop[]): Statement[] {
      return stops.map(stop => {
        const { orderId, upstream, place, tenantId, meetingId } = stop
        const row = { order_id: orderId, upstream, place, tenant_id: tenantId, meeting_id: meetingId }
        const seen = { livestream_id: stop.livestreamId, run_id: stop.runId }
        return sql
          .insertInto('ordered_stops')
          .values({ ...row, ...seen, operation_id: null, state: 'waiting', reason: null })
          .onConflict(conflict => conflict.doNothing())
          .compile()
      })
    },

    /** The stops that the order is about, and how each stands. */
    async stopsOf(orderId: string): Promise<OrderedStopNow[]> {
      const wanted = sql
        .selectFrom('ordered_stops as stop')
        .leftJoin('operations as sent', 'sent.id', 'stop.operation_id')
        .selectAll('stop')
        .select(['sent.state as operation_state', 'sent.reason as vendor_reason', 'sent.answer'])
        .where('stop.order_id', '=', orderId)
      const rows = await engine.scan(wanted.orderBy('stop.tenant_id').orderBy('stop.place').compile())
      return rows.map(row => ({
        orderId,
        tenantId: row.tenant_id,
        upstream: row.upstream,
        place: row.place,
        meetingId: row.meeting_id,
        livestreamId: row.livestream_id,
        runId: row.run_id,
        operationId: row.operation_id,
        ...standing(row)
      }))
    },

    /** A stop is recorded for it. @throws Conflict when one is already */
    sent(stop: OrderedStop, operationId: string): Statement {
      return { ...waiting(stop).set({ operation_id: operationId, state: 'sent' }).compile(), changes: 1 }
    },

    /** Nothing is sent for it: it is over already, or can't be stopped. @throws Conflict when a stop is recorded */
    closed(stop: OrderedStop, state: 'stopped' | 'left', reason: string): Statement {
      return { ...waiting(stop).set({ state, reason }).compile(), changes: 1 }
    }
  }
}

interface Standing {
  state: string
  reason: string | null
  operation_state: string | null
  vendor_reason: string | null
  answer: string | null
}

/** From its stop on, that one tells. A settled one is removed after days: then nothing of it was open. */
function standing(row: Standing): Pick<OrderedStopNow, 'state' | 'reason'> {
  const state = row.state as OrderedStopState
  if (state !== 'sent') return { state, reason: row.reason }
  const operation = row.operation_state as OperationState | null
  if (operation === null || operation === 'done') return { state: 'stopped', reason: null }
  if (operation !== 'failed') return { state: 'sent', reason: row.vendor_reason }
  return { state: 'left', reason: messageOf(row.answer) ?? row.vendor_reason }
}

function messageOf(answer: string | null): string | null {
  const body = answer === null ? null : (JSON.parse(answer) as StoredAnswer['body'])
  return body !== null && 'error' in body ? body.error.message : null
}
