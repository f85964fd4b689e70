import { sql as raw } from 'kysely'
import type { RunEnder } from '../../../domain/runs/run.ts'
import type { Statement } from '../../engine/engine.ts'
import { leaveWork } from '../../schema/database.ts'
import type { StopOrdersTable } from '../../schema/stop-order-tables.ts'
import type { Store } from '../../store.ts'
import { type OrderedStop, orderedStopsIn } from './ordered-stops.ts'

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

export type NewStopOrder = Pick<StopOrder, 'id' | 'reason' | 'tenantId' | 'operator' | 'requestId' | 'createdAtMs'>

/** The tables `stop_orders` and `ordered_stops`. A command writes them; the gateway that serves the store carries them out. */
export function stopOrdersIn(store: Store) {
  const { engine, sql } = store
  const stopsOfOrders = orderedStopsIn(store)
  const orders = sql.selectFrom('stop_orders').selectAll()
  const open = orders.where(raw<boolean>`ended_at is null`).orderBy('created_at')

  const openOrder = (id: string) => sql.updateTable('stop_orders').where('id', '=', id).where('ended_at', 'is', null)

  return {
    ...stopsOfOrders,

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
      return [row.compile(), ...stopsOfOrders.add(stops ?? []), leaveWork(sql)]
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

    /** Notes what was found out; with a time the order is about nothing else. @throws Conflict when it is carried out */
    noted(
      { id }: StopOrder,
      { unasked, unowned }: Pick<StopOrder, 'unasked' | 'unowned'>,
      listedAtMs: number | null
    ): Statement {
      const found = { unasked: JSON.stringify(unasked), unowned: JSON.stringify(unowned), listed_at: listedAtMs }
      return { ...openOrder(id).set(found).compile(), changes: 1 }
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
