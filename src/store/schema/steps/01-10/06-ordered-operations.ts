import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/**
 * The order of operations is a counter, since a clock may be set back. Those of before are numbered by their times, which is all
 * that is known of them; so are the starts that were open when a stop was sent.
 */
export function orderedOperations(db: Sql): CompiledQuery[] {
  const column = (name: string, type: 'bigint' | 'integer' | 'text') =>
    db.schema.alterTable('operations').addColumn(name, type).compile()
  return [
    column('ordinal', 'bigint'),
    column('open_start_id', 'text'),
    column('vendor_at', 'bigint'),
    column('sent_again_at', 'bigint'),
    column('upstream_status', 'integer'),
    column('reason', 'text'),
    ...[
      sql`update operations set ordinal = numbered.place
        from (select id, row_number() over (order by sent_at, id) as place from operations) as numbered
        where numbered.id = operations.id`,
      sql`update operations set open_start_id = (
          select start.id from operations as start
          where start.meeting_id = operations.meeting_id and start.kind = 'start' and start.state <> 'failed'
            and start.sent_at <= operations.sent_at
            and (start.settled_at is null or start.settled_at >= operations.sent_at)
          order by start.ordinal desc limit 1)
        where kind = 'stop' and state in ('sent', 'unknown')`,
      sql`create index operations_ordinal on operations (ordinal)`,
      sql`drop index operations_open`,
      sql`create index operations_open on operations (meeting_id, ordinal) where state in ('sent', 'unknown')`,
      sql`drop index operations_switches`,
      sql`create index operations_switches on operations (livestream_id, ordinal) where kind in ('enable_livestream', 'disable_livestream')`,
      sql`drop index operations_meeting`,
      sql`create index operations_starts on operations (meeting_id, ordinal) where kind = 'start'`
    ].map(step => step.compile(db))
  ]
}
