import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/**
 * Adds limits of tenants and the ends of runs. Runs that began before `limits_from` are not ended by a limit (docs/limits.md): an
 * upgrade ends nothing.
 */
export function limitsOfTenants(db: Sql): CompiledQuery[] {
  const { schema } = db
  const added = (table: 'tenants' | 'broadcast_runs', columns: Record<string, 'bigint' | 'text'>) =>
    Object.entries(columns).map(([name, type]) => schema.alterTable(table).addColumn(name, type).compile())
  return [
    ...added('tenants', {
      max_duration_seconds: 'bigint',
      default_duration_seconds: 'bigint',
      max_live: 'bigint',
      minutes_per_month: 'bigint',
      stop_with_meeting: 'text'
    }),
    ...added('broadcast_runs', {
      ending_by: 'text',
      spent_at: 'bigint',
      warned_for: 'bigint',
      manual_ingest: 'bigint',
      meeting_session_id: 'text',
      session_gone_at: 'bigint'
    }),
    schema.createIndex('broadcast_runs_ended').on('broadcast_runs').columns(['tenant_id', 'ended_at']).compile(),
    sql`insert into meta (name, value) values ('limits_from', ${String(Date.now())})`.compile(db)
  ]
}
