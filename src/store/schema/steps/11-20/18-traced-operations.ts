import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'

/** Adds to an operation the trace of its call: whatever looks after it later, perhaps in another process, names that trace. */
export function tracedOperations(db: Sql): CompiledQuery[] {
  return [db.schema.alterTable('operations').addColumn('trace_parent', 'text').compile()]
}
