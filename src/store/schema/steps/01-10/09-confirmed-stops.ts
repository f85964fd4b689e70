import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'

/** A stop that is done may have found nothing: which ones the vendor has confirmed is another matter. */
export function confirmedStops(db: Sql): CompiledQuery[] {
  return [db.schema.alterTable('operations').addColumn('confirmed_at', 'bigint').compile()]
}
