import { LRUCache } from 'lru-cache'
import type { ApiKey } from '../../domain/api-key.ts'
import { isScope, type Scope } from '../../domain/scope.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import { type Statement, writeIf } from '../engine/engine.ts'
import { type ApiKeysTable, nextRevision, thisRevision } from '../schema/database.ts'
import type { Store } from '../store.ts'

/** The table `api_keys`: digests and scopes, never a key. */
export function apiKeysIn({ engine, sql }: Store) {
  return {
    /** @param also belongs into the same transaction */
    async create(key: ApiKey, ...also: Statement[]): Promise<void> {
      await engine.write([
        nextRevision(sql),
        sql
          .insertInto('api_keys')
          .values({
            id: key.id,
            tenant_id: key.tenantId,
            name: key.name,
            scopes: JSON.stringify(key.scopes),
            digest: key.digest,
            created_at: key.createdAtMs,
            expires_at: key.expiresAtMs,
            revoked_at: key.revokedAtMs,
            revision: thisRevision()
          })
          .compile(),
        ...also
      ])
    },

    /** False when there is no such key, or when it was revoked before. */
    async revoke(id: string, nowMs: number, ...also: Statement[]): Promise<boolean> {
      const query = sql
        .updateTable('api_keys')
        .set({ revoked_at: nowMs, revision: thisRevision() })
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .compile()
      return writeIf(engine, [nextRevision(sql), { ...query, changes: 1 }, ...also])
    },

    async find(id: string): Promise<ApiKey | null> {
      const [row] = await engine.read(sql.selectFrom('api_keys').selectAll().where('id', '=', id).compile())
      return row === undefined ? null : toApiKey(row)
    },

    /** All keys of one tenant, or of all; revoked and expired ones too. */
    async list(tenantId?: string): Promise<ApiKey[]> {
      const all = sql.selectFrom('api_keys').selectAll().orderBy('tenant_id').orderBy('created_at').orderBy('id')
      const rows = await engine.read((tenantId === undefined ? all : all.where('tenant_id', '=', tenantId)).compile())
      return rows.map(toApiKey)
    },

    /** Changes since `revision`, for the memory that follows. */
    async changedSince(revision: number): Promise<{ revision: number; key: ApiKey }[]> {
      const rows = await engine.read(
        sql.selectFrom('api_keys').selectAll().where('revision', '>', revision).orderBy('revision').compile()
      )
      return rows.map(row => ({ revision: row.revision, key: toApiKey(row) }))
    }
  }
}
export type ApiKeys = ReturnType<typeof apiKeysIn>

/** Most keys have the scopes of a preset: ten thousand of them share one list. */
const lists = new LRUCache<string, readonly Scope[]>(upTo(1_000))

function toScopes(text: string): readonly Scope[] {
  let list = lists.get(text)
  if (list === undefined) {
    const scopes: unknown = JSON.parse(text)
    // A scope that this version doesn't know gives no right.
    list = Object.freeze(Array.isArray(scopes) ? scopes.filter(isScope) : [])
    lists.set(text, list)
  }
  return list
}

function toApiKey(row: ApiKeysTable): ApiKey {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    scopes: toScopes(row.scopes),
    digest: row.digest,
    createdAtMs: row.created_at,
    expiresAtMs: row.expires_at,
    revokedAtMs: row.revoked_at
  }
}
