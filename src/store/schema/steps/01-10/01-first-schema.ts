import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

export function firstSchema(db: Sql): CompiledQuery[] {
  const schema = db.schema
  return [
    schema
      .createTable('tenants')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('upstream', 'text', c => c.notNull())
      .addColumn('read_limit', 'text')
      .addColumn('write_limit', 'text')
      .addColumn('suspended_at', 'bigint')
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema.createIndex('tenants_revision').on('tenants').column('revision'),
    schema
      .createTable('api_keys')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('scopes', 'text', c => c.notNull())
      .addColumn('digest', 'text', c => c.notNull().unique())
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('expires_at', 'bigint')
      .addColumn('revoked_at', 'bigint')
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema.createIndex('api_keys_revision').on('api_keys').column('revision'),
    schema
      .createTable('meetings')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('upstream', 'text', c => c.notNull())
      .addColumn('title', 'text')
      .addColumn('snapshot', 'text')
      .addColumn('observed_at', 'bigint')
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('released_at', 'bigint')
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema.createIndex('meetings_tenant').on('meetings').columns(['tenant_id', 'created_at', 'id']),
    schema.createIndex('meetings_revision').on('meetings').column('revision'),
    schema
      .createTable('livestreams')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('upstream', 'text', c => c.notNull())
      .addColumn('meeting_id', 'text')
      .addColumn('status', 'text', c => c.notNull())
      .addColumn('snapshot', 'text', c => c.notNull())
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('observed_at', 'bigint', c => c.notNull())
      .addColumn('released_at', 'bigint')
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema.createIndex('livestreams_tenant').on('livestreams').columns(['tenant_id', 'created_at', 'id']),
    schema.createIndex('livestreams_meeting').on('livestreams').columns(['meeting_id', 'created_at']),
    schema.createIndex('livestreams_revision').on('livestreams').column('revision'),
    schema
      .createTable('operations')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('key_id', 'text', c => c.notNull())
      .addColumn('kind', 'text', c => c.notNull())
      .addColumn('meeting_id', 'text')
      .addColumn('livestream_id', 'text')
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('request_id', 'text', c => c.notNull())
      .addColumn('sent_at', 'bigint', c => c.notNull())
      .addColumn('settled_at', 'bigint'),
    // At most one open start a meeting, whoever asks: the last wall against a second livestream.
    schema
      .createIndex('operations_open_start')
      .on('operations')
      .column('meeting_id')
      .unique()
      .where(sql.ref('kind'), '=', sql.lit('start'))
      .where(sql.ref('state'), 'in', sql`('sent', 'unknown')`),
    schema.createIndex('operations_state').on('operations').columns(['state', 'sent_at']),
    schema
      .createTable('audit_events')
      .addColumn('seq', 'bigint', c => c.primaryKey())
      .addColumn('time', 'bigint', c => c.notNull())
      .addColumn('tenant_id', 'text')
      .addColumn('action', 'text', c => c.notNull())
      .addColumn('outcome', 'text', c => c.notNull())
      .addColumn('request_id', 'text', c => c.notNull())
      .addColumn('event', 'text', c => c.notNull()),
    schema.createIndex('audit_events_tenant').on('audit_events').columns(['tenant_id', 'seq']),
    schema.createIndex('audit_events_action').on('audit_events').columns(['tenant_id', 'action', 'seq']),
    schema.createIndex('audit_events_outcome').on('audit_events').columns(['tenant_id', 'outcome', 'seq']),
    schema.createIndex('audit_events_time').on('audit_events').columns(['tenant_id', 'time'])
  ].map(builder => builder.compile())
}
