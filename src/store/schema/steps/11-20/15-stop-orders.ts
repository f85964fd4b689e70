import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/**
 * Adds the operator's orders to stop, each with the meetings that it is about: they outlive the process that carries them out. A stop
 * that no caller has asked for says why it was sent.
 */
export function stopOrders(db: Sql): CompiledQuery[] {
  const { schema } = db
  return [
    ...[
      schema
        .createTable('stop_orders')
        .addColumn('id', 'text', c => c.primaryKey())
        .addColumn('reason', 'text', c => c.notNull())
        .addColumn('tenant_id', 'text', c => c.references('tenants.id'))
        .addColumn('operator', 'text', c => c.notNull())
        .addColumn('request_id', 'text', c => c.notNull())
        .addColumn('created_at', 'bigint', c => c.notNull())
        .addColumn('listed_at', 'bigint')
        .addColumn('unasked', 'text', c => c.notNull())
        .addColumn('unowned', 'text', c => c.notNull())
        .addColumn('ended_at', 'bigint')
        .addColumn('owner', 'text')
        .addColumn('lease_until', 'bigint'),
      schema
        .createTable('ordered_stops')
        .addColumn('order_id', 'text', c => c.notNull().references('stop_orders.id'))
        .addColumn('upstream', 'text', c => c.notNull())
        .addColumn('place', 'text', c => c.notNull())
        .addColumn('tenant_id', 'text', c => c.notNull())
        .addColumn('meeting_id', 'text')
        .addColumn('livestream_id', 'text')
        .addColumn('run_id', 'text')
        .addColumn('operation_id', 'text')
        .addColumn('state', 'text', c => c.notNull())
        .addColumn('reason', 'text')
        .addPrimaryKeyConstraint('ordered_stops_place', ['order_id', 'upstream', 'place']),
      schema.alterTable('operations').addColumn('cause', 'text')
    ].map(builder => builder.compile()),
    // Orders that are open are few.
    sql`create index stop_orders_open on stop_orders (created_at) where ended_at is null`.compile(db)
  ]
}
