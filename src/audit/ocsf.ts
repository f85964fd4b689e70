import type { AuditEvent, AuditOutcome } from '../domain/audit-event.ts'

/** What a call was about. Without a tenant it was refused before anybody was known. */
export interface Subject {
  /** The operation's id in the OpenAPI document, e.g. `startLivestream`. */
  action: string
  method: string
  tenantId: string | null
  /** The id of the key that was shown, valid or not; never the key. */
  keyId: string | null
  address: string
  requestId: string
  resources: { type: 'meeting' | 'livestream'; uid: string }[]
}

/** How it ended. */
export interface Ending {
  outcome: AuditOutcome
  /** HTTP status of the answer; absent for an intent. */
  status?: number | undefined
  /** Slug of the failure. */
  type?: string | undefined
  durationMs?: number | undefined
  upstreamStatus?: number | undefined
  streamKeyRevealed?: boolean | undefined
}

/** OCSF 1.8.0 API Activity: create, read, update; delete does not occur. */
const activities = {
  GET: [2, 'Read'],
  HEAD: [2, 'Read'],
  POST: [1, 'Create'],
  PUT: [3, 'Update'],
  PATCH: [3, 'Update']
} as const

const statusIds = { pending: 0, unknown: 0, done: 1, refused: 2, failed: 2, not_sent: 2 } as const satisfies Record<
  AuditOutcome,
  number
>

/** One line of the audit log, as it is stored and shown. */
export function toAuditEvent(subject: Subject, ending: Ending, timeMs: number): AuditEvent {
  const { tenantId, action, requestId } = subject
  const { outcome, status, type, durationMs, upstreamStatus, streamKeyRevealed } = ending
  const [activityId, activityName] = activities[subject.method as keyof typeof activities] ?? [99, 'Other']
  return {
    class_uid: 6003,
    class_name: 'API Activity',
    category_uid: 6,
    category_name: 'Application Activity',
    activity_id: activityId,
    activity_name: activityName,
    type_uid: 600_300 + activityId,
    severity_id: 1,
    time: timeMs,
    status_id: statusIds[outcome],
    ...(status !== undefined && { status_code: String(status) }),
    ...(type !== undefined && { status_detail: type }),
    ...(durationMs !== undefined && { duration: Math.max(0, Math.round(durationMs)) }),
    metadata: {
      version: '1.8.0',
      product: { name: 'Livegate', vendor_name: 'Livegate' },
      correlation_uid: requestId
    },
    actor: { user: { uid: subject.keyId ?? 'unknown', type: 'API key' } },
    api: {
      operation: action,
      request: { uid: requestId },
      ...(status !== undefined && { response: { code: status, ...(type !== undefined && { error: type }) } })
    },
    src_endpoint: { ip: subject.address },
    resources: subject.resources,
    unmapped: {
      tenant_id: tenantId,
      key_id: subject.keyId,
      outcome,
      ...(upstreamStatus !== undefined && { upstream_status: upstreamStatus }),
      ...(streamKeyRevealed && { stream_key_revealed: true })
    }
  }
}
