import { sql as raw } from 'kysely'
import type { Operation, OperationKind, OperationState, StoredAnswer } from '../../../domain/operation.ts'
import type { OperationsTable } from '../../schema/database.ts'

/** In the words of the index that has only these rows: with parameters SQLite would not see that it is the right one. */
export const isOpen = raw<boolean>`state in ('sent', 'unknown')`

export const ordinalOf = (id: string) => raw<number>`(select ordinal from operations where id = ${id})`

export function toOperation(row: OperationsTable): Operation {
  const {
    idempotency_fingerprint: keyFingerprint,
    request_fingerprint: requestFingerprint,
    answer_status: status,
    answer
  } = row
  return {
    id: row.id,
    tenantId: row.tenant_id,
    keyId: row.key_id,
    kind: row.kind as OperationKind,
    upstream: row.upstream,
    meetingId: row.meeting_id,
    livestreamId: row.livestream_id,
    state: row.state as OperationState,
    requestId: row.request_id,
    sentAtMs: row.sent_at,
    vendorAtMs: row.vendor_at,
    sentAgainAtMs: row.sent_again_at,
    settledAtMs: row.settled_at,
    confirmedVendorAtMs: row.confirmed_vendor_at,
    openStartId: row.open_start_id,
    upstreamStatus: row.upstream_status,
    reason: row.reason,
    idempotency: keyFingerprint === null || requestFingerprint === null ? null : { keyFingerprint, requestFingerprint },
    answer: status === null || answer === null ? null : { status, body: JSON.parse(answer) as StoredAnswer['body'] }
  }
}
