import type { ActorType, AuditEvent, AuditOutcome, AuditResource } from '../domain/audit/audit-event.ts'
import { type Operation, operations } from '../domain/operation.ts'

/** Subject of a call. Without a tenant it was refused before its caller was known. */
export interface Subject {
  /** The operation's id in the OpenAPI document, e.g. `startLivestream`. */
  action: string
  method: string
  tenantId: string | null
  /** The id of the key that was shown, valid or not; never the key. */
  keyId: string | null
  /** Fingerprint of the credential that was shown, valid or not. */
  keyFingerprint?: string | null | undefined
  idempotencyKeyFingerprint?: string | null | undefined
  /** The actor, when it was no key. */
  actor?: { type: Exclude<ActorType, 'API key'>; uid: string }
  /** The client's address; null where there is none. */
  address: string | null
  requestId: string
  traceId?: string | null | undefined
  resources: AuditResource[]
}

/** The actor of a change of the log itself, and its call. */
export type Worker = Required<Pick<Subject, 'actor' | 'requestId'>>

/** The subject of an event that the gateway, or a person, adds to an earlier operation: with the ids of the call that it was. */
export function subjectOfOperation(
  { kind, tenantId, keyId, requestId, trace, meetingId, idempotency, ...operation }: Operation,
  actor: NonNullable<Subject['actor']>,
  livestreamId: string | null = operation.livestreamId
): Subject {
  return {
    ...operations[kind],
    tenantId,
    keyId,
    idempotencyKeyFingerprint: idempotency?.keyFingerprint,
    actor,
    address: null,
    requestId,
    traceId: trace?.id,
    resources: resourcesOf(meetingId, livestreamId)
  }
}

/** The meeting and the livestream that an event names, as far as there are any. */
export function resourcesOf(meetingId: string | null, livestreamId: string | null | undefined): Subject['resources'] {
  return [
    ...(meetingId === null ? [] : [{ type: 'meeting' as const, uid: meetingId }]),
    ...(livestreamId == null ? [] : [{ type: 'livestream' as const, uid: livestreamId }])
  ]
}

/** End of a call. */
export interface Ending {
  outcome: AuditOutcome
  /** HTTP status of the answer; absent for an intent. */
  status?: number | undefined
  /** Slug of the failure. */
  type?: string | undefined
  durationMs?: number | undefined
  upstreamStatus?: number | undefined
  /** The vendor's own words. */
  upstreamReason?: string | undefined
  streamKeyRevealed?: boolean | undefined
  /** Signed note of what was done to the log itself. */
  note?: string | undefined
}

/** Ids of the activities of OCSF 1.8.0 API Activity. */
const activityIds = { Create: 1, Read: 2, Update: 3, Delete: 4, Other: 99 } as const
type Activity = keyof typeof activityIds

const activityByMethod: Record<string, Activity> = {
  GET: 'Read',
  HEAD: 'Read',
  POST: 'Create',
  PUT: 'Update',
  PATCH: 'Update',
  DELETE: 'Delete'
}
const activityByAction = new Map<string, Activity>(
  Object.values(operations).map(({ action, activity }) => [action, activity])
)

const statusIds = { pending: 0, unknown: 0, done: 1, refused: 2, failed: 2, not_sent: 2 } as const satisfies Record<
  AuditOutcome,
  number
>
/** Informational, low (somebody may be trying), medium (something did not work). */
const severities = { pending: 1, done: 1, refused: 2, failed: 3, not_sent: 3, unknown: 3 } as const satisfies Record<
  AuditOutcome,
  number
>
const actorTypeIds = { 'API key': 99, Operator: 2, Gateway: 3 } as const satisfies Record<ActorType, number>

/** One line of the audit log, as it is stored and shown. */
export function toAuditEvent(subject: Subject, ending: Ending, timeMs: number): AuditEvent {
  const { tenantId, action, requestId, traceId, keyFingerprint, idempotencyKeyFingerprint } = subject
  const { outcome, status, type, durationMs, upstreamStatus, upstreamReason, streamKeyRevealed, note } = ending
  const activity = activityOf(subject)
  const actor = subject.actor ?? { type: 'API key' as const, uid: subject.keyId ?? 'unknown' }
  const denied = outcome === 'refused'
  return {
    class_uid: 6003,
    class_name: 'API Activity',
    category_uid: 6,
    category_name: 'Application Activity',
    activity_id: activityIds[activity],
    activity_name: activity,
    type_uid: 600_300 + activityIds[activity],
    severity_id: severities[outcome],
    time: timeMs,
    status_id: statusIds[outcome],
    ...(status !== undefined && { status_code: String(status) }),
    ...(type !== undefined && { status_detail: type }),
    action_id: denied ? 2 : 1,
    action: denied ? 'Denied' : 'Allowed',
    ...(durationMs !== undefined && { duration: Math.max(0, Math.round(durationMs)) }),
    metadata: {
      version: '1.8.0',
      profiles: traceId == null ? ['security_control'] : ['security_control', 'trace'],
      product: { name: 'Livegate', vendor_name: 'Livegate' },
      correlation_uid: requestId
    },
    ...(traceId != null && { trace: { uid: traceId } }),
    actor: { user: { ...actor, type_id: actorTypeIds[actor.type] } },
    api: {
      operation: action,
      request: { uid: requestId },
      ...(status !== undefined && { response: { code: status, ...(type !== undefined && { error: type }) } })
    },
    src_endpoint: endpointOf(subject),
    resources: subject.resources,
    unmapped: {
      tenant_id: tenantId,
      key_id: subject.keyId,
      outcome,
      ...(keyFingerprint != null && { key_fingerprint: keyFingerprint }),
      ...(idempotencyKeyFingerprint != null && { idempotency_key_fingerprint: idempotencyKeyFingerprint }),
      ...(upstreamStatus !== undefined && { upstream_status: upstreamStatus }),
      ...(upstreamReason !== undefined && { upstream_reason: upstreamReason }),
      ...(streamKeyRevealed && { stream_key_revealed: true }),
      ...(note !== undefined && { note })
    }
  }
}

/** The event of a change of the log itself, with the signed note that tells of it; undefined where there is none. */
export function logChange(
  {
    action,
    method,
    worker,
    note
  }: { action: string; method: 'PUT' | 'DELETE'; worker: Worker; note?: string | undefined },
  timeMs: number
): AuditEvent {
  const about = { tenantId: null, keyId: null, address: null, resources: [] }
  return toAuditEvent({ action, method, ...about, ...worker }, { outcome: 'done', note }, timeMs)
}

/** OCSF's `status_id`: the larger, the worse. */
export function statusIdOf({ outcome }: Ending): number {
  return statusIds[outcome]
}

/** Whether it changes nothing. */
export function isRead(subject: Subject): boolean {
  return activityOf(subject) === 'Read'
}

function activityOf({ action, method }: Subject): Activity {
  return activityByAction.get(action) ?? activityByMethod[method] ?? 'Other'
}

function endpointOf({ address, actor }: Subject): AuditEvent['src_endpoint'] {
  if (address !== null) return { ip: address }
  return { name: actor?.type === 'Operator' ? 'command line' : 'gateway' }
}
