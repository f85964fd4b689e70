import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'

/** The vendor's time of a confirmed stop, which may have been sent again long after it first went out. */
export function datedConfirmations(db: Sql): CompiledQuery[] {
  return [db.schema.alterTable('operations').addColumn('confirmed_vendor_at', 'bigint').compile()]
}
