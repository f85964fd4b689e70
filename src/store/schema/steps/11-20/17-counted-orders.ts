import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/** Adds to an order the last run that was there when it was given: a clock that is set must not decide what is later. */
export function countedOrders(db: Sql): CompiledQuery[] {
  return [
    db.schema.alterTable('stop_orders').addColumn('last_run', 'bigint').compile(),
    sql`update stop_orders set last_run = (
      select coalesce(max(ordinal), 0) from broadcast_runs where broadcast_runs.created_at <= stop_orders.created_at
    )`.compile(db)
  ]
}
