import { sql as raw } from 'kysely'
import type { AuditEvent, AuditFilter, ListedEvent } from '../domain/audit-event.ts'
import type { Statement } from './engine.ts'
import type { Store } from './store.ts'

/** The table `audit_events`: appended, never changed. `seq` has no gaps, so that a missing event shows. */
export function auditEventsIn({ engine, sql }: Store) {
  return {
    append(event: AuditEvent): Statement {
      return sql
        .insertInto('audit_events')
        .values({
          seq: raw<number>`(select coalesce(max(seq), 0) + 1 from audit_events)`,
          time: event.time,
          tenant_id: event.unmapped.tenant_id,
          action: event.api.operation,
          outcome: event.unmapped.outcome,
          request_id: event.metadata.correlation_uid,
          event: JSON.stringify(event)
        })
        .compile()
    },

    /** The tenant's events, the newest first. */
    async list(tenantId: string, filter: AuditFilter): Promise<ListedEvent[]> {
      const { action, outcome, sinceMs, untilMs, beforeSeq, limit } = filter
      let wanted = sql.selectFrom('audit_events').select(['seq', 'event']).where('tenant_id', '=', tenantId)
      if (action !== undefined) wanted = wanted.where('action', '=', action)
      if (outcome !== undefined) wanted = wanted.where('outcome', '=', outcome)
      if (sinceMs !== undefined) wanted = wanted.where('time', '>=', sinceMs)
      if (untilMs !== undefined) wanted = wanted.where('time', '<', untilMs)
      if (beforeSeq !== undefined) wanted = wanted.where('seq', '<', beforeSeq)
      const rows = await engine.scan(wanted.orderBy('seq', 'desc').limit(limit).compile())
      return rows.map(row => ({ seq: row.seq, event: JSON.parse(row.event) as AuditEvent }))
    }
  }
}
export type AuditEvents = ReturnType<typeof auditEventsIn>
