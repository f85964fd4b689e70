import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/** Tells by its revision which livestream of a meeting was seen last, for the same reason as in the step before. */
export function orderedSightings(db: Sql): CompiledQuery[] {
  return [
    sql`drop index livestreams_last`,
    sql`create index livestreams_last on livestreams
      (meeting_id, (status in ('INVOKED', 'LIVE')), revision, created_at)`
  ].map(step => step.compile(db))
}
