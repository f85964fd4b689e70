import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'
import { spellingIndex } from '../../spelling.ts'

/** The tables with ids of the vendor that there are at this step. A later table gets its index in the step that makes it. */
export const tablesThen = ['meetings', 'livestreams', 'livestream_sessions', 'meeting_sessions'] as const

/** Two rows whose ids are one UUID in another case cannot come to be. `refuseTwins` comes before it. */
export function oneSpelling(db: Sql): CompiledQuery[] {
  return tablesThen.map(table => spellingIndex(db, table))
}
