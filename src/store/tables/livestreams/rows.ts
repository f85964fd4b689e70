import type { ListedLivestream, Livestream } from '../../../domain/livestream.ts'
import type { LivestreamsTable, Sql } from '../../schema/database.ts'

/** The tenant's livestreams; those whose meeting was taken from it are not among them. */
export function ownedBy(sql: Sql, tenantId: string) {
  return sql.selectFrom('livestreams').where('tenant_id', '=', tenantId).where('released_at', 'is', null)
}

export function toListed(row: LivestreamsTable): ListedLivestream {
  const seen = JSON.parse(row.snapshot) as Livestream
  const observed_at = new Date(row.observed_at).toISOString()
  return { ...seen, id: row.id, status: row.status, meeting_id: row.meeting_id, observed_at }
}
