import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/** Adds the webhooks that vendors have sent, so that each is taken once, and their counts. */
export function webhooksIn(db: Sql): CompiledQuery[] {
  const { schema } = db
  return [
    ...[
      schema
        .createTable('webhook_deliveries')
        .addColumn('seq', 'bigint', c => c.primaryKey())
        .addColumn('upstream', 'text', c => c.notNull())
        .addColumn('delivery_id', 'text')
        .addColumn('body_digest', 'text', c => c.notNull())
        .addColumn('event', 'text', c => c.notNull())
        .addColumn('meeting_id', 'text')
        .addColumn('livestream_id', 'text')
        .addColumn('session_id', 'text')
        .addColumn('received_at', 'bigint', c => c.notNull())
        .addColumn('noticed_at', 'bigint'),
      schema.createIndex('webhook_deliveries_digest').on('webhook_deliveries').columns(['upstream', 'body_digest']),
      schema
        .createIndex('webhook_deliveries_livestream')
        .on('webhook_deliveries')
        .columns(['upstream', 'livestream_id', 'seq']),
      schema.createIndex('webhook_deliveries_received').on('webhook_deliveries').column('received_at'),
      schema
        .createTable('webhook_counts')
        .addColumn('upstream', 'text', c => c.primaryKey())
        .addColumn('taken', 'bigint', c => c.notNull())
        .addColumn('repeated', 'bigint', c => c.notNull())
        .addColumn('unknown', 'bigint', c => c.notNull())
        .addColumn('refused', 'bigint', c => c.notNull())
        .addColumn('taken_at', 'bigint')
        .addColumn('refused_at', 'bigint')
        .addColumn('refused_webhook_id', 'text')
    ].map(builder => builder.compile()),
    ...[
      sql`create unique index webhook_deliveries_id on webhook_deliveries (upstream, delivery_id)
        where delivery_id is not null`,
      sql`create index webhook_deliveries_open on webhook_deliveries (seq) where noticed_at is null`
    ].map(step => step.compile(db))
  ]
}
