import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'

/** Adds the runs and sessions that a tenant has seen: its analytics are made of them. */
export function knownSessions(db: Sql): CompiledQuery[] {
  const { schema } = db
  return [
    schema
      .createTable('livestream_sessions')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('livestream_id', 'text', c => c.notNull())
      .addColumn('began_at', 'bigint', c => c.notNull())
      .addColumn('ingest_seconds', 'double precision', c => c.notNull())
      .addColumn('viewer_seconds', 'double precision', c => c.notNull())
      .addColumn('observed_at', 'bigint', c => c.notNull()),
    schema.createIndex('livestream_sessions_tenant').on('livestream_sessions').columns(['tenant_id', 'began_at']),
    schema
      .createTable('meeting_sessions')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('meeting_id', 'text', c => c.notNull())
      .addColumn('observed_at', 'bigint', c => c.notNull()),
    // Time at which all runs of a livestream were asked for last: later sightings are not in the figures yet.
    schema.alterTable('livestreams').addColumn('runs_seen_at', 'bigint'),
    schema.createIndex('operations_livestream').on('operations').columns(['livestream_id', 'sent_at'])
  ].map(builder => builder.compile())
}
