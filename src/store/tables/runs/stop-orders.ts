import { sql as raw } from 'kysely'
import type { OperationState, StoredAnswer } from '../../../domain/operation.ts'
import type { RunEnder } from '../../../domain/runs/run.ts'
import type { Statement } from '../../engine/engine.ts'
import { leaveWork } from '../../schema/database.ts'
import type { StopOrdersTable } from '../../schema/stop-order-tables.ts'
import type { Store } from '../../store.ts'

/** Causes for which an operator has runs stopped. */
export type StopReason = Extract<RunEnder, 'operator' | 'suspended'>

/** A vendor account that could not be asked what runs there, and why. */
export interface Unasked {
  upstream: string
  reason: string
}

/** A run at one of our vendor accounts that no tenant has. */
export interface UnownedRun {
  upstream: string
  meetingId: string | null
  livestreamId: string
}

/** An operator's order to stop what is live when it is given. Times are epoch milliseconds of our clock. */
export interface StopOrder {
  readonly id: string
  readonly reason: StopReason
  /** Null: of all tenants. */
  readonly tenantId: string | null
  /** The person at the command line, and the id of that call. */
  readonly operator: string
  readonly requestId: string
  readonly createdAtMs: number
  /** Null until it is known what it is about. */
  readonly listedAtMs: number | null
  readonly unasked: readonly Unasked[]
  readonly unowned: readonly UnownedRun[]
  readonly endedAtMs: number | null
}

/** Open runs that became known after an order was given, and the operations of their starts. */
export interface LaterRuns {
  runIds: ReadonlySet<string>
  operationIds: ReadonlySet<string>
}

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

export type NewStopOrder = Pick<StopOrder, 'id' | 'reason' | 'tenantId' | 'operator' | 'requestId' | 'createdAtMs'>

/** The tables `stop_orders` and `ordered_stops`. A command writes them; the gateway that serves the store carries them out. */
export function stopOrdersIn({ engine, sql }: Store) {
  const orders = sql.selectFrom('stop_orders').selectAll()
  const open = orders.where(raw<boolean>`ended_at is null`).orderBy('created_at')

  function add(stops: readonly OrderedStop[]): Statement[] {
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
  }

  /** An ordered stop that nothing is recorded for yet. @throws Conflict when that is not so any more */
  const waiting = ({ orderId, upstream, place }: OrderedStop) =>
    sql
      .updateTable('ordered_stops')
      .where('order_id', '=', orderId)
      .where('upstream', '=', upstream)
      .where('place', '=', place)
      .where('state', '=', 'waiting')

  const openOrder = (id: string) => sql.updateTable('stop_orders').where('id', '=', id).where('ended_at', 'is', null)

  return {
    /** Statements of a new order. @param stops what it is about, where the operator says it himself; else that is found out later */
    give(order: NewStopOrder, stops: readonly OrderedStop[] | null): Statement[] {
      const row = sql.insertInto('stop_orders').values({
        id: order.id,
        reason: order.reason,
        tenant_id: order.tenantId,
        operator: order.operator,
        request_id: order.requestId,
        created_at: order.createdAtMs,
        last_run: raw<number>`(select coalesce(max(ordinal), 0) from broadcast_runs)`,
        listed_at: stops === null ? null : order.createdAtMs,
        unasked: '[]',
        unowned: '[]',
        ended_at: null,
        owner: null,
        lease_until: null
      })
      return [row.compile(), ...add(stops ?? []), leaveWork(sql)]
    },

    /** Those that are not carried out yet, the oldest first. */
    async open(): Promise<StopOrder[]> {
      return (await engine.read(open.compile())).map(toOrder)
    },

    async find(id: string): Promise<StopOrder | null> {
      const [row] = await engine.read(orders.where('id', '=', id).compile())
      return row === undefined ? null : toOrder(row)
    },

    /** By the order of commits: the clock may have been set. */
    async laterRuns({ id }: Pick<StopOrder, 'id'>): Promise<LaterRuns> {
      const later = sql
        .selectFrom('broadcast_runs')
        .select(['id', 'operation_id'])
        .where('ended_at', 'is', null)
        .where('ordinal', '>', raw<number>`(select last_run from stop_orders where id = ${id})`)
      const rows = await engine.read(later.compile())
      return {
        runIds: new Set(rows.map(row => row.id)),
        operationIds: new Set(rows.flatMap(row => row.operation_id ?? []))
      }
    },

    /** Takes an order, or keeps it for longer. @throws Conflict when another process has it, or it is carried out */
    take(id: string, owner: string, nowMs: number, leaseMs: number): Statement {
      const free = openOrder(id).where(where =>
        where.or([where('owner', 'is', null), where('owner', '=', owner), where('lease_until', '<', nowMs)])
      )
      return { ...free.set({ owner, lease_until: nowMs + leaseMs }).compile(), changes: 1 }
    },

    /** Takes the orders from a process that has ended: for the one process that serves this store. */
    release(): Statement {
      return sql
        .updateTable('stop_orders')
        .set({ owner: null, lease_until: null })
        .where('ended_at', 'is', null)
        .compile()
    },

    add,

    /** Notes what was found out; with a time the order is about nothing else. @throws Conflict when it is carried out */
    noted(
      { id }: StopOrder,
      { unasked, unowned }: Pick<StopOrder, 'unasked' | 'unowned'>,
      listedAtMs: number | null
    ): Statement {
      const found = { unasked: JSON.stringify(unasked), unowned: JSON.stringify(unowned), listed_at: listedAtMs }
      return { ...openOrder(id).set(found).compile(), changes: 1 }
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
    },

    /** It is carried out, as far as it can be. @throws Conflict when it was before */
    ended({ id }: StopOrder, nowMs: number): Statement {
      return { ...openOrder(id).set({ ended_at: nowMs, owner: null, lease_until: null }).compile(), changes: 1 }
    },

    /** Removes the oldest that have ended before; some at a time. Fewer than asked when none are left. */
    async removeEnded(beforeMs: number, atMost: number): Promise<number> {
      const oldest = sql
        .selectFrom('stop_orders')
        .select('id')
        .where('ended_at', '<', beforeMs)
        .orderBy('ended_at')
        .limit(atMost)
      const [, rows] = await engine.write([
        sql.deleteFrom('ordered_stops').where('order_id', 'in', oldest).compile(),
        sql.deleteFrom('stop_orders').where('id', 'in', oldest).returning('id').compile()
      ])
      return rows?.length ?? 0
    }
  }
}
export type StopOrders = ReturnType<typeof stopOrdersIn>

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

function toOrder(row: StopOrdersTable): StopOrder {
  return {
    id: row.id,
    reason: row.reason as StopReason,
    tenantId: row.tenant_id,
    operator: row.operator,
    requestId: row.request_id,
    createdAtMs: row.created_at,
    listedAtMs: row.listed_at,
    unasked: JSON.parse(row.unasked) as Unasked[],
    unowned: JSON.parse(row.unowned) as UnownedRun[],
    endedAtMs: row.ended_at
  }
}
