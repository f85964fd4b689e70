import { randomBytes } from 'node:crypto'
import { type CompiledQuery, sql } from 'kysely'
import { noHash } from '../../../../domain/audit/audit-chain.ts'
import { isPostgres, type Sql, sha256Hex } from '../../database.ts'

/** The events of before are chained as they stand. */
export function chainedAudit(db: Sql): CompiledQuery[] {
  const { schema } = db
  const linked = (previous: string, event: string) => sha256Hex(sql`${sql.ref(previous)} || ${sql.ref(event)}`)
  // Both halves of what recurs must compare alike, and the column compares by its bytes.
  const none = isPostgres(db) ? sql`${sql.lit(noHash)} collate "C"` : sql.lit(noHash)
  return [
    schema
      .alterTable('audit_events')
      .addColumn('prev_hash', 'text', c => c.notNull().defaultTo(''))
      .compile(),
    schema
      .alterTable('audit_events')
      .addColumn('hash', 'text', c => c.notNull().defaultTo(''))
      .compile(),
    sql`with recursive chain (seq, prev_hash, hash) as (
      select 1, ${none}, ${sha256Hex(sql`${sql.lit(noHash)} || event`)} from audit_events where seq = 1
      union all
      select chain.seq + 1, chain.hash, ${linked('chain.hash', 'next.event')}
      from chain join audit_events as next on next.seq = chain.seq + 1
    )
    update audit_events set prev_hash = chain.prev_hash, hash = chain.hash from chain where chain.seq = audit_events.seq`.compile(
      db
    ),
    schema
      .createTable('audit_checkpoints')
      .addColumn('kind', 'text', c => c.notNull())
      .addColumn('seq', 'bigint', c => c.notNull())
      .addColumn('time', 'bigint', c => c.notNull())
      .addColumn('note', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('audit_checkpoints_key', ['kind', 'seq'])
      .compile(),
    schema.createIndex('operations_settled').on('operations').column('settled_at').compile(),
    // Names the log in its checkpoints, so that those of another store are not taken for its own.
    db
      .insertInto('meta')
      .values({ name: 'audit_log', value: randomBytes(8).toString('hex') })
      .compile()
  ]
}
