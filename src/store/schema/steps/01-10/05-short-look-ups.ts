import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/**
 * Look-ups of a start or a stop must not grow with the history of its meeting, and their writes should touch few pages:
 * indexes of what few rows have hold those rows alone. A query uses one when it says the same in the same words.
 */
export function shortLookUps(db: Sql): CompiledQuery[] {
  return [
    sql`drop index operations_state`,
    sql`create index operations_open on operations (meeting_id, sent_at) where state in ('sent', 'unknown')`,
    sql`drop index operations_livestream`,
    sql`create index operations_switches on operations (livestream_id, sent_at) where kind in ('enable_livestream', 'disable_livestream')`,
    sql`drop index operations_idempotency`,
    sql`create unique index operations_idempotency on operations (idempotency_fingerprint)
      where idempotency_fingerprint is not null`,
    sql`create index livestreams_last on livestreams
      (meeting_id, (status in ('INVOKED', 'LIVE')), observed_at, created_at)`
  ].map(step => step.compile(db))
}
