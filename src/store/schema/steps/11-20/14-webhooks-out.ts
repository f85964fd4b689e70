import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/**
 * Adds the webhooks of tenants, and the events that wait for them: one row for each event that is not delivered yet. With `work_left`
 * a command says that it has changed one.
 */
export function webhooksOut(db: Sql): CompiledQuery[] {
  const { schema } = db
  const tables = [
    schema
      .createTable('tenant_webhooks')
      .addColumn('tenant_id', 'text', c => c.primaryKey().references('tenants.id'))
      .addColumn('url', 'text', c => c.notNull())
      .addColumn('secret', 'text', c => c.notNull())
      .addColumn('previous_secret', 'text')
      .addColumn('previous_until', 'bigint')
      .addColumn('after_seq', 'bigint', c => c.notNull())
      .addColumn('failing_since', 'bigint')
      .addColumn('failed_at', 'bigint')
      .addColumn('disabled_at', 'bigint')
      .addColumn('given_up', 'bigint', c => c.notNull())
      .addColumn('last_at', 'bigint')
      .addColumn('last_status', 'integer')
      .addColumn('last_error', 'text')
      .addColumn('last_ms', 'bigint')
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('updated_at', 'bigint', c => c.notNull())
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema
      .createTable('tenant_webhook_deliveries')
      .addColumn('seq', 'bigint', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('place', 'text', c => c.notNull())
      .addColumn('message_id', 'text', c => c.notNull())
      .addColumn('body', 'text', c => c.notNull())
      .addColumn('attempts', 'integer', c => c.notNull())
      .addColumn('queued_at', 'bigint', c => c.notNull())
      .addColumn('next_at', 'bigint', c => c.notNull())
      .addColumn('owner', 'text')
      .addColumn('lease_until', 'bigint'),
    // For the first of each place.
    schema
      .createIndex('tenant_webhook_deliveries_place')
      .on('tenant_webhook_deliveries')
      .columns(['tenant_id', 'place', 'seq']),
    schema.createIndex('tenant_webhook_deliveries_next').on('tenant_webhook_deliveries').column('next_at')
  ].map(builder => builder.compile())
  return [...tables, sql`insert into meta (name, value) values ('work_left', '0')`.compile(db)]
}
