import { sql as raw } from 'kysely'
import type { Statement } from '../engine/engine.ts'
import type { Store } from '../store.ts'

/** Uses of upstreams as the store knows them, and the account that each name has stood for. */
export function upstreamUseIn({ engine, sql }: Store) {
  /** A meeting or livestream that stays with the upstream, in words; null when there is none. */
  async function held(upstream: string): Promise<string | null> {
    for (const [table, what] of [
      ['meetings', 'meeting'],
      ['livestreams', 'livestream']
    ] as const) {
      const found = sql.selectFrom(table).select('id').where('upstream', '=', upstream).where('released_at', 'is', null)
      const [row] = await engine.scan(found.orderBy('id').limit(1).compile())
      if (row !== undefined) return `the ${what} ${row.id}`
    }
    return null
  }

  return {
    held,

    /** Names what needs an upstream: a tenant that belongs to it, or what stays with it; null when nobody does. */
    async neededBy(upstream: string): Promise<string | null> {
      const tenants = sql.selectFrom('tenants').select('id').where('upstream', '=', upstream).orderBy('id').limit(1)
      const [tenant] = await engine.scan(tenants.compile())
      if (tenant !== undefined) return `the tenant ${tenant.id} belongs to it`
      const operations = sql.selectFrom('operations').select('id').where('upstream', '=', upstream)
      const [open] = await engine.scan(operations.where('state', 'in', ['sent', 'unknown']).limit(1).compile())
      if (open !== undefined) return `the operation ${open.id} there is not settled`
      const thing = await held(upstream)
      return thing && `${thing} is there`
    },

    /** Names what else than that tenant uses an upstream; null when nobody does. */
    async usedByOthers(upstream: string, tenantId: string): Promise<string | null> {
      const tenants = sql
        .selectFrom('tenants')
        .select('id')
        .where('upstream', '=', upstream)
        .where('id', '!=', tenantId)
      const [tenant] = await engine.scan(tenants.limit(1).compile())
      if (tenant !== undefined) return `the tenant ${tenant.id} belongs to it`
      for (const table of ['meetings', 'livestreams'] as const) {
        const things = sql.selectFrom(table).select(['id', 'tenant_id']).where('upstream', '=', upstream)
        const others = things.where('tenant_id', '!=', tenantId).where('released_at', 'is', null)
        const [row] = await engine.scan(others.limit(1).compile())
        if (row !== undefined) return `the tenant ${row.tenant_id} has ${row.id} there`
      }
      return null
    },

    /** The fingerprint of the account that the name stood for last; null when it is new. */
    async accountOf(upstream: string): Promise<string | null> {
      const known = sql.selectFrom('meta').select('value').where('name', '=', accountName(upstream))
      const [row] = await engine.read(known.compile())
      return row?.value ?? null
    },

    /** Forgets the account of each name. The next start remembers those that it finds. */
    forgetAccounts(): Statement {
      return sql.deleteFrom('meta').where('name', 'like', accountName('%')).compile()
    },

    async rememberAccount(upstream: string, fingerprint: string): Promise<void> {
      const row = { name: accountName(upstream), value: fingerprint }
      const query = sql
        .insertInto('meta')
        .values(row)
        .onConflict(conflict => conflict.column('name').doUpdateSet({ value: raw`excluded.value` }))
      await engine.write([query.compile()])
    }
  }
}
export type UpstreamUse = ReturnType<typeof upstreamUseIn>

function accountName(upstream: string): string {
  return `upstream_account:${upstream}`
}
