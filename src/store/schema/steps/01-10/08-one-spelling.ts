import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'
import { spelledTables, spellingIndex } from '../../spelling.ts'

/** Two rows whose ids are one UUID in another case cannot come to be. `refuseTwins` comes before it. */
export function oneSpelling(db: Sql): CompiledQuery[] {
  return spelledTables.map(table => spellingIndex(db, table))
}
