import type { CompiledQuery } from 'kysely'
import type { Sql } from '../../database.ts'
import { spellingIndex } from '../../spelling.ts'

/** Adds the participants that a meeting's tenant was shown, and the presets that a tenant may give. */
export function knownParticipants(db: Sql): CompiledQuery[] {
  const { schema } = db
  const table = [
    schema
      .createTable('meeting_participants')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('upstream', 'text', c => c.notNull())
      .addColumn('meeting_id', 'text', c => c.notNull())
      .addColumn('custom_fingerprint', 'text', c => c.notNull())
      .addColumn('seen_at', 'bigint', c => c.notNull()),
    schema
      .createIndex('meeting_participants_custom')
      .on('meeting_participants')
      .columns(['custom_fingerprint', 'seen_at']),
    schema.alterTable('tenants').addColumn('presets', 'text')
  ].map(builder => builder.compile())
  return [...table, spellingIndex(db, 'meeting_participants')]
}
