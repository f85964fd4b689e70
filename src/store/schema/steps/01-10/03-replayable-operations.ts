import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'

export function replayableOperations(db: Sql): CompiledQuery[] {
  const { schema } = db
  const operations = () => schema.alterTable('operations')
  return [
    operations().addColumn('upstream', 'text', c => c.notNull().defaultTo('default')),
    operations().addColumn('idempotency_fingerprint', 'text'),
    operations().addColumn('request_fingerprint', 'text'),
    operations().addColumn('answer_status', 'integer'),
    operations().addColumn('answer', 'text'),
    // The last wall against a second execution under one key. The digest covers the tenant.
    schema.createIndex('operations_idempotency').on('operations').column('idempotency_fingerprint').unique(),
    schema.createIndex('operations_meeting').on('operations').columns(['meeting_id', 'sent_at'])
  ].map(builder => builder.compile())
}
