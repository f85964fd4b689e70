import { type CompiledQuery, sql } from 'kysely'
import type { Sql } from '../../database.ts'

/** Adds the key that a key has taken the place of, with one successor at most that is not revoked, and the hour of each key's last use. */
export function keyLines(db: Sql): CompiledQuery[] {
  const { schema } = db
  return [
    schema.alterTable('api_keys').addColumn('predecessor_id', 'text').compile(),
    sql`create unique index api_keys_predecessor on api_keys (predecessor_id) where predecessor_id is not null and revoked_at is null`.compile(
      db
    ),
    schema
      .createTable('key_uses')
      .addColumn('key_id', 'text', c => c.primaryKey())
      .addColumn('used_at', 'bigint', c => c.notNull())
      .compile()
  ]
}
