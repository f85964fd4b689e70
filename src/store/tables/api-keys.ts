import { type RawBuilder, sql as raw } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { ApiKey } from '../../domain/api-key.ts'
import type { Rotation } from '../../domain/key-rotation.ts'
import { isScope, type Scope } from '../../domain/scope.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import { type Statement, writeIf } from '../engine/engine.ts'
import { nextRevision, thisRevision } from '../schema/database.ts'
import type { ApiKeysTable } from '../schema/key-tables.ts'
import type { Store } from '../store.ts'

/** The table `api_keys`: digests and scopes, never a key. */
export function apiKeysIn({ engine, sql }: Store) {
  const insert = (key: ApiKey): Statement =>
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
        predecessor_id: key.predecessorId,
        revision: thisRevision()
      })
      .compile()

  /** Ids of the key and of all who have taken its place, one after the other. */
  const lineOf = (id: string): RawBuilder<string> =>
    raw<string>`(with recursive line (id) as (
      select id from api_keys where id = ${id}
      union select k.id from api_keys k join line on k.predecessor_id = line.id
    ) select id from line)`

  return {
    /** @param also belongs into the same transaction */
    async create(key: ApiKey, ...also: Statement[]): Promise<void> {
      await engine.write([nextRevision(sql), insert(key), ...also])
    },

    /**
     * Rows of a rotation. @throws Conflict, by the transaction, when the key before is not valid any more; UniqueViolation when it has a
     * successor that is not revoked
     */
    rotated({ successor, endsAtMs }: Rotation, nowMs: number): Statement[] {
      const ended = sql
        .updateTable('api_keys')
        .set({ expires_at: endsAtMs, revision: thisRevision() })
        .where('id', '=', successor.predecessorId)
        .where('revoked_at', 'is', null)
        .where(where => where.or([where('expires_at', 'is', null), where('expires_at', '>', nowMs)]))
      return [nextRevision(sql), { ...ended.compile(), changes: 1 }, insert(successor)]
    },

    /** Whether another key has taken its place, and is not revoked. */
    async hasSuccessor(id: string): Promise<boolean> {
      const query = sql
        .selectFrom('api_keys')
        .select('id')
        .where('predecessor_id', '=', id)
        .where('revoked_at', 'is', null)
      return (await engine.read(query.compile())).length > 0
    },

    /**
     * The end that the line of a key was made for: that of the newest key at its end, revoked or not. A key that was rotated ends with its overlap,
     * and its next successor, after the first was revoked, does not.
     */
    async endOfLine({ id, expiresAtMs }: Pick<ApiKey, 'id' | 'expiresAtMs'>): Promise<number | null> {
      const query = sql
        .selectFrom('api_keys')
        .select('expires_at')
        .where(raw<boolean>`id in ${lineOf(id)} and id <> ${id}`)
        .where(raw<boolean>`not exists (select 1 from api_keys n where n.predecessor_id = api_keys.id)`)
        .orderBy('created_at', 'desc')
        .limit(1)
      const [newest] = await engine.read(query.compile())
      return newest === undefined ? expiresAtMs : newest.expires_at
    },

    /** The key and its successors that are not revoked yet: those that a revocation ends. */
    async line(id: string): Promise<string[]> {
      const query = sql
        .selectFrom('api_keys')
        .select('id')
        .where(raw<boolean>`id in ${lineOf(id)}`)
      return (await engine.read(query.where('revoked_at', 'is', null).compile())).map(row => row.id)
    },

    /** Keys that expire by then, have no successor, and were made for longer than so long. */
    async expiring(asked: { nowMs: number; untilMs: number; longerThanMs: number; limit: number }): Promise<ApiKey[]> {
      const { nowMs, untilMs, longerThanMs, limit } = asked
      const next = raw`select 1 from api_keys n where n.predecessor_id = api_keys.id and n.revoked_at is null`
      const query = sql
        .selectFrom('api_keys')
        .selectAll()
        .where('revoked_at', 'is', null)
        .where('expires_at', '>', nowMs)
        .where('expires_at', '<=', untilMs)
        .where(raw<boolean>`expires_at - created_at > ${longerThanMs} and not exists (${next})`)
      return (await engine.scan(query.orderBy('expires_at').limit(limit).compile())).map(toApiKey)
    },

    /** Revokes it with its successors. False when there is no such key, or when it was revoked before. */
    async revoke(id: string, nowMs: number, ...also: Statement[]): Promise<boolean> {
      const query = sql
        .updateTable('api_keys')
        .set({ revoked_at: nowMs, revision: thisRevision() })
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .compile()
      const successors = sql
        .updateTable('api_keys')
        .set({ revoked_at: nowMs, revision: thisRevision() })
        .where(raw<boolean>`id in ${lineOf(id)}`)
        .where('revoked_at', 'is', null)
        .compile()
      return writeIf(engine, [nextRevision(sql), { ...query, changes: 1 }, successors, ...also])
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
    revokedAtMs: row.revoked_at,
    predecessorId: row.predecessor_id
  }
}
