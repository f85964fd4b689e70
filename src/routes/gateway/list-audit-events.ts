import { Type } from 'typebox'
import { AuditEvent, type AuditFilter, auditOutcomes, type ListedEvent } from '../../domain/audit/audit-event.ts'
import { isoTime, readTime } from '../../domain/values/time-range.ts'
import { failures } from '../answer.ts'
import type { Api } from '../api.ts'

const Cursor = Type.String({
  pattern: '^[0-9]{1,15}$',
  maxLength: 15,
  description: 'Where the next page begins: the `next_cursor` of the page before',
  examples: ['4711']
})

const schema = {
  operationId: 'listAuditEvents',
  summary: "Read the tenant's audit log",
  description:
    'The newest first. `next_cursor` leads to the older ones; a page never skips or repeats while events are added.',
  tags: ['gateway'],
  querystring: Type.Object(
    {
      action: Type.Optional(
        Type.String({
          pattern: '^[A-Za-z]{1,64}$',
          maxLength: 64,
          description: 'The operation, by its id in this document',
          examples: ['startLivestream']
        })
      ),
      outcome: Type.Optional(Type.Enum([...auditOutcomes])),
      since: isoTime('At this time or later'),
      until: isoTime('Before this time'),
      cursor: Type.Optional(Cursor),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 50 }))
    },
    { additionalProperties: false }
  ),
  response: {
    200: Type.Object(
      {
        success: Type.Literal(true),
        data: Type.Array(AuditEvent, { maxItems: 100 }),
        next_cursor: Type.Union([Cursor, Type.Null()], { description: 'Null on the last page' })
      },
      { description: 'A page of the audit log' }
    ),
    ...failures()
  }
}

const rule = { scope: 'audit:read', limit: 'read' } as const

/** Source of the events: those of one tenant, the newest first. */
export interface TenantAuditEvents {
  list(tenantId: string, filter: AuditFilter): Promise<ListedEvent[]>
}

export function listAuditEvents(app: Api, { auditEvents }: { auditEvents: TenantAuditEvents }): void {
  app.get('/audit-events', { schema, config: { rule } }, async request => {
    const { action, outcome, since, until, cursor, limit = 50 } = request.query
    const rows = await auditEvents.list(request.caller.tenant.id, {
      action,
      outcome,
      sinceMs: readTime('query.since', since),
      untilMs: readTime('query.until', until),
      beforeSeq: cursor === undefined ? undefined : Number(cursor),
      limit: limit + 1 // one more than is shown tells whether there is another page
    })
    const shown = rows.slice(0, limit)
    const next_cursor = rows.length > limit ? String(shown.at(-1)?.seq) : null
    return { success: true as const, data: shown.map(({ event }) => forTenant(event)), next_cursor }
  })
}

/** Leaves out who works at the organisation and how the vendor words a refusal: only what was done is a tenant's business. */
function forTenant({ actor, unmapped: { upstream_reason: _, ...unmapped }, ...event }: AuditEvent): AuditEvent {
  const uid = actor.user.type === 'Operator' ? 'operator' : actor.user.uid
  return { ...event, actor: { user: { ...actor.user, uid } }, unmapped }
}
