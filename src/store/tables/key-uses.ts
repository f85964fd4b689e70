import { sql as raw } from 'kysely'
import type { Statement } from '../engine/engine.ts'
import type { Store } from '../store.ts'

/** The table `key_uses`: the hour in which each key was used last. Memory does not follow it. */
export function keyUsesIn({ engine, sql }: Store) {
  return {
    /** Keeps the later one of what is known and this. */
    used(keyId: string, usedAtMs: number): Statement {
      return sql
        .insertInto('key_uses')
        .values({ key_id: keyId, used_at: usedAtMs })
        .onConflict(conflict =>
          conflict
            .column('key_id')
            .doUpdateSet({ used_at: usedAtMs })
            .where(raw<boolean>`key_uses.used_at < ${usedAtMs}`)
        )
        .compile()
    },

    async all(): Promise<Map<string, number>> {
      const rows = await engine.scan(sql.selectFrom('key_uses').selectAll().compile())
      return new Map(rows.map(({ key_id, used_at }) => [key_id, used_at]))
    }
  }
}
export type KeyUseRows = ReturnType<typeof keyUsesIn>
