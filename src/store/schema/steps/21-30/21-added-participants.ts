import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/** Adds what adding a participant once needs: of those that are open one has its fingerprint. Adds a rule for tokens of a tenant. */
export function addedParticipants(db: Sql): CompiledQuery[] {
  const { schema } = db
  return [
    schema.alterTable('operations').addColumn('participant', 'text').compile(),
    sql`create unique index operations_open_participant on operations (participant) where participant is not null and state in ('sent', 'unknown')`.compile(
      db
    ),
    schema.alterTable('tenants').addColumn('server_starts_only', 'text').compile()
  ]
}
