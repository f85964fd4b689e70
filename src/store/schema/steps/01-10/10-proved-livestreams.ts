import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'

/**
 * Marks livestreams that are the tenant's by more than the answer that began them. Of those of before nobody knows by which answer they came:
 * the next one that names their meeting proves them, and a wrong one can be put right.
 */
export function provedLivestreams(db: Sql): CompiledQuery[] {
  return [db.schema.alterTable('livestreams').addColumn('proved_at', 'bigint').compile()]
}
