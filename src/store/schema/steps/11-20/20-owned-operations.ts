import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'

/** Adds to an operation the replica that carries it out. */
export function ownedOperations(db: Sql): CompiledQuery[] {
  return [db.schema.alterTable('operations').addColumn('owner', 'text').compile()]
}
