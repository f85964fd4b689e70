import { type Static, Type } from 'typebox'
import { Nullable } from '../values/schema.ts'

/**
 * How a call ended, or stands. `pending`: an intent, written before a mutation went upstream. `done`: it was answered.
 * `refused`: Livegate or the vendor said no (4xx). `failed`, `not_sent`, `unknown`: as in `error.outcome`.
 */
export const auditOutcomes = ['pending', 'done', 'refused', 'failed', 'not_sent', 'unknown'] as const
export type AuditOutcome = (typeof auditOutcomes)[number]

const text = (maxLength: number, example?: string) =>
  Type.String({ maxLength, ...(example !== undefined && { examples: [example] }) })

/** Kinds of actors: a caller with a key, a person at the command line, or the gateway by itself. */
export const actorTypes = ['API key', 'Operator', 'Gateway'] as const
export type ActorType = (typeof actorTypes)[number]

const Fingerprint = Type.String({
  pattern: '^[0-9a-f]{32}$',
  maxLength: 32,
  description: "A keyed fingerprint: whoever holds the gateway's fingerprint key can test a value that he knows"
})
const Milliseconds = (description: string) => Type.Optional(Type.Integer({ minimum: 0, description }))

/** An event names so many things at most. */
const maxResources = 100

/** One line of the audit log: OCSF 1.8.0, class API Activity (6003); what OCSF has no field for stands under `unmapped`. */
export const AuditEvent = Type.Object({
  class_uid: Type.Literal(6003),
  class_name: Type.Literal('API Activity'),
  category_uid: Type.Literal(6),
  category_name: Type.Literal('Application Activity'),
  activity_id: Type.Enum([1, 2, 3, 4, 99], { description: '1 create, 2 read, 3 update, 4 delete, 99 other' }),
  activity_name: Type.Enum(['Create', 'Read', 'Update', 'Delete', 'Other']),
  type_uid: Type.Integer({ minimum: 600_301, maximum: 600_399 }),
  severity_id: Type.Integer({ minimum: 1, maximum: 3, description: '1 informational, 2 low, 3 medium' }),
  time: Type.Integer({ minimum: 0, description: 'Epoch milliseconds', examples: [1_795_345_200_000] }),
  count: Type.Optional(Type.Integer({ minimum: 1, description: 'So many equal events stand behind this one' })),
  start_time: Milliseconds('The first of them, epoch milliseconds'),
  end_time: Milliseconds('The last of them, epoch milliseconds'),
  status_id: Type.Integer({ minimum: 0, maximum: 2, description: '0 unknown, 1 success, 2 failure' }),
  status_code: Type.Optional(text(3, '201')),
  status_detail: Type.Optional(text(64, 'meeting_not_found')),
  action_id: Type.Enum([1, 2], { description: 'The decision: 1 allowed, 2 denied. `status_detail` has the reason' }),
  action: Type.Enum(['Allowed', 'Denied']),
  duration: Milliseconds('Milliseconds'),
  metadata: Type.Object({
    version: Type.Literal('1.8.0'),
    profiles: Type.Array(Type.Enum(['security_control', 'trace']), { minItems: 1, maxItems: 2 }),
    product: Type.Object({ name: Type.Literal('Livegate'), vendor_name: Type.Literal('Livegate') }),
    correlation_uid: text(64)
  }),
  trace: Type.Optional(
    Type.Object(
      {
        uid: Type.String({ pattern: '^[0-9a-f]{32}$', maxLength: 32, examples: ['4bf92f3577b34da6a3ce929d0e0e4736'] })
      },
      { description: 'The trace that the call belongs to, as W3C Trace Context has it' }
    )
  ),
  actor: Type.Object({
    user: Type.Object({
      uid: text(64),
      type: Type.Enum([...actorTypes]),
      type_id: Type.Enum([2, 3, 99], { description: '2 admin, 3 system, 99 other' })
    })
  }),
  api: Type.Object({
    operation: text(64, 'startLivestream'),
    request: Type.Object({ uid: text(64) }),
    response: Type.Optional(Type.Object({ code: Type.Integer(), error: Type.Optional(text(64)) }))
  }),
  src_endpoint: Type.Object({
    ip: Type.Optional(text(64, '127.0.0.1')),
    name: Type.Optional(Type.Enum(['command line', 'gateway', 'several']))
  }),
  resources: Type.Array(
    Type.Object({
      type: Type.Enum([
        'tenant',
        'key',
        'meeting',
        'livestream',
        'participant',
        'livestream_session',
        'session',
        'operation',
        'upstream',
        'upstream_credential',
        'webhook'
      ]),
      uid: text(64)
    }),
    { maxItems: maxResources }
  ),
  unmapped: Type.Object({
    tenant_id: Nullable(text(64, 'acme')),
    key_id: Nullable(text(64)),
    outcome: Type.Enum([...auditOutcomes]),
    key_fingerprint: Type.Optional(Fingerprint),
    idempotency_key_fingerprint: Type.Optional(Fingerprint),
    upstream_status: Type.Optional(Type.Integer()),
    upstream_reason: Type.Optional(
      Type.String({
        maxLength: 300,
        description: "The vendor's own words, for the operator alone: no tenant is shown them"
      })
    ),
    stream_key_revealed: Type.Optional(Type.Boolean()),
    note: Type.Optional(
      Type.String({ maxLength: 1024, description: 'Of a cut, or of a change of the signing key: the signed note' })
    )
  })
})
export type AuditEvent = Static<typeof AuditEvent>

/** Ids in as few events as can name them, each beside one thing more: its tenant. */
export function inEvents(ids: string[]): string[][] {
  const size = maxResources - 1
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ids.slice(i * size, (i + 1) * size))
}

/** A person or thing that an event is about. */
export type AuditResource = AuditEvent['resources'][number]

/** A question for events, the newest first. */
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
