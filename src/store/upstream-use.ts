import type { Store } from './store.ts'

/** Who needs an upstream, in words: a tenant that belongs to it, or a meeting or livestream that stays with it; null when nobody does. */
export async function neededBy({ engine, sql }: Store, upstream: string): Promise<string | null> {
  const tenants = sql.selectFrom('tenants').select('id').where('upstream', '=', upstream).orderBy('id').limit(1)
  const [tenant] = await engine.scan(tenants.compile())
  if (tenant !== undefined) return `the tenant ${tenant.id} belongs to it`
  for (const [table, what] of [
    ['meetings', 'meeting'],
    ['livestreams', 'livestream']
  ] as const) {
    const held = sql.selectFrom(table).select('id').where('upstream', '=', upstream).where('released_at', 'is', null)
    const [row] = await engine.scan(held.orderBy('id').limit(1).compile())
    if (row !== undefined) return `the ${what} ${row.id} is there`
  }
  return null
}
