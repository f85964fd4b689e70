import { type Static, Type } from 'typebox'
import { Nullable } from './schema.ts'

/**
 * How a call ended, or stands. `pending`: an intent, written before a mutation went upstream. `done`: it was answered.
 * `refused`: Livegate or the vendor said no (4xx). `failed`, `not_sent`, `unknown`: as in `error.outcome`.
 */
export const auditOutcomes = ['pending', 'done', 'refused', 'failed', 'not_sent', 'unknown'] as const
export type AuditOutcome = (typeof auditOutcomes)[number]

const text = (maxLength: number, example?: string) =>
  Type.String({ maxLength, ...(example !== undefined && { examples: [example] }) })

/** One line of the audit log: OCSF 1.8.0, class API Activity (6003); what OCSF has no field for stands under `unmapped`. */
export const AuditEvent = Type.Object({
  class_uid: Type.Literal(6003),
  class_name: Type.Literal('API Activity'),
  category_uid: Type.Literal(6),
  category_name: Type.Literal('Application Activity'),
  activity_id: Type.Integer({ minimum: 0, maximum: 99, description: '1 create, 2 read, 3 update, 99 other' }),
  activity_name: text(16, 'Create'),
  type_uid: Type.Integer({ minimum: 600_300, maximum: 600_399 }),
  severity_id: Type.Integer({ minimum: 1, maximum: 3 }),
  time: Type.Integer({ minimum: 0, description: 'Epoch milliseconds', examples: [1_795_345_200_000] }),
  status_id: Type.Integer({ minimum: 0, maximum: 2, description: '0 unknown, 1 success, 2 failure' }),
  status_code: Type.Optional(text(3, '201')),
  status_detail: Type.Optional(text(64, 'meeting_not_found')),
  duration: Type.Optional(Type.Integer({ minimum: 0, description: 'Milliseconds' })),
  metadata: Type.Object({
    version: Type.Literal('1.8.0'),
    product: Type.Object({ name: Type.Literal('Livegate'), vendor_name: Type.Literal('Livegate') }),
    correlation_uid: text(64)
  }),
  actor: Type.Object({
    user: Type.Object({ uid: text(64), type: text(16, 'API key') })
  }),
  api: Type.Object({
    operation: text(64, 'startLivestream'),
    request: Type.Object({ uid: text(64) }),
    response: Type.Optional(Type.Object({ code: Type.Integer(), error: Type.Optional(text(64)) }))
  }),
  src_endpoint: Type.Object({ ip: text(64, '127.0.0.1') }),
  resources: Type.Array(Type.Object({ type: text(32, 'meeting'), uid: text(64) }), { maxItems: 4 }),
  unmapped: Type.Object({
    tenant_id: Nullable(text(64, 'acme')),
    key_id: Nullable(text(64)),
    outcome: Type.Enum([...auditOutcomes]),
    upstream_status: Type.Optional(Type.Integer()),
    stream_key_revealed: Type.Optional(Type.Boolean()),
    count: Type.Optional(Type.Integer({ description: 'So many equal events stand behind this one' }))
  })
})
export type AuditEvent = Static<typeof AuditEvent>

/** Which events are asked for, the newest first. */
export interface AuditFilter {
  action?: string | undefined
  outcome?: string | undefined
  sinceMs?: number | undefined
  untilMs?: number | undefined
  /** Only events before this one: where the page before ended. */
  beforeSeq?: number | undefined
  limit: number
}

/** An event with its place in the log. */
export interface ListedEvent {
  readonly seq: number
  readonly event: AuditEvent
}
