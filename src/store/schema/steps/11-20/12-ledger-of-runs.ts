import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/**
 * Adds the ledger: one row for each broadcast run, whoever began it, and the events that tell of its moves. A gateway adopts the
 * runs that go on when this version starts first (`runs-at-start.ts`): ids are random, and no dialect makes them alike.
 */
export function ledgerOfRuns(db: Sql): CompiledQuery[] {
  const { schema } = db
  return [
    ...[
      schema
        .createTable('broadcast_runs')
        .addColumn('id', 'text', c => c.primaryKey())
        .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
        .addColumn('upstream', 'text', c => c.notNull())
        .addColumn('meeting_id', 'text')
        .addColumn('livestream_id', 'text')
        .addColumn('session_id', 'text')
        .addColumn('operation_id', 'text')
        .addColumn('status', 'text', c => c.notNull())
        .addColumn('invoked_at', 'bigint')
        .addColumn('live_at', 'bigint')
        .addColumn('ended_at', 'bigint')
        .addColumn('ended_by', 'text')
        .addColumn('deadline_at', 'bigint')
        .addColumn('max_duration_seconds', 'bigint')
        .addColumn('playback_url', 'text')
        .addColumn('quiet_looks', 'integer', c => c.notNull())
        .addColumn('quiet_at', 'bigint')
        .addColumn('created_at', 'bigint', c => c.notNull())
        .addColumn('ordinal', 'bigint', c => c.notNull())
        .addColumn('revision', 'bigint', c => c.notNull()),
      schema.createIndex('broadcast_runs_ordinal').on('broadcast_runs').column('ordinal'),
      schema.createIndex('broadcast_runs_tenant').on('broadcast_runs').columns(['tenant_id', 'ordinal']),
      schema.createIndex('broadcast_runs_livestream').on('broadcast_runs').columns(['livestream_id', 'ordinal']),
      schema
        .createTable('run_events')
        .addColumn('seq', 'bigint', c => c.primaryKey())
        .addColumn('run_id', 'text', c => c.notNull())
        .addColumn('tenant_id', 'text', c => c.notNull())
        .addColumn('upstream', 'text', c => c.notNull())
        .addColumn('meeting_id', 'text')
        .addColumn('livestream_id', 'text')
        .addColumn('type', 'text', c => c.notNull())
        .addColumn('status', 'text', c => c.notNull())
        .addColumn('playback_url', 'text')
        .addColumn('reason', 'text')
        .addColumn('at', 'bigint', c => c.notNull()),
      schema.createIndex('run_events_tenant').on('run_events').columns(['tenant_id', 'seq']),
      schema.createIndex('livestream_sessions_livestream').on('livestream_sessions').column('livestream_id'),
      schema.createIndex('run_events_at').on('run_events').column('at'),
      schema.alterTable('operations').addColumn('run_id', 'text')
    ].map(builder => builder.compile()),
    ...[
      // Rows that are open are few: each index of theirs has them alone.
      sql`create unique index broadcast_runs_open on broadcast_runs (upstream, livestream_id)
        where ended_at is null and livestream_id is not null`,
      sql`create index broadcast_runs_open_meeting on broadcast_runs (meeting_id) where ended_at is null`,
      sql`create index broadcast_runs_open_tenant on broadcast_runs (tenant_id) where ended_at is null`,
      sql`create unique index broadcast_runs_operation on broadcast_runs (operation_id) where operation_id is not null`,
      // A counter, since events are removed when they are old, and no number may be given twice.
      sql`insert into meta (name, value) values ('run_event', '0')`
    ].map(step => step.compile(db))
  ]
}
