import { sql as raw } from 'kysely'
import type { Operation, OperationKind, OperationState, StoredAnswer } from '../../../domain/operation.ts'
import type { OperationsTable } from '../../schema/database.ts'

/** The part of a row that a caller gives; the rest is known to the store alone. */
export type Given = Omit<OperationsTable, 'ordinal' | 'open_start_id' | 'confirmed_at' | 'confirmed_vendor_at'>

/** In the words of the index that has only these rows: with parameters SQLite would not see that it is the right one. */
export const isOpen = raw<boolean>`state in ('sent', 'unknown')`

export const ordinalOf = (id: string) => raw<number>`(select ordinal from operations where id = ${id})`

export function toColumns(operation: Operation): Given {
  return {
    id: operation.id,
    tenant_id: operation.tenantId,
    key_id: operation.keyId,
    kind: operation.kind,
    upstream: operation.upstream,
    meeting_id: operation.meetingId,
    livestream_id: operation.livestreamId,
    state: operation.state,
    request_id: operation.requestId,
    sent_at: operation.sentAtMs,
    settled_at: operation.settledAtMs,
    idempotency_fingerprint: operation.idempotency?.keyFingerprint ?? null,
    request_fingerprint: operation.idempotency?.requestFingerprint ?? null,
    answer_status: operation.answer?.status ?? null,
    answer: operation.answer === null ? null : JSON.stringify(operation.answer.body),
    vendor_at: operation.vendorAtMs,
    sent_again_at: operation.sentAgainAtMs,
    upstream_status: operation.upstreamStatus,
    reason: operation.reason
  }
}

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
