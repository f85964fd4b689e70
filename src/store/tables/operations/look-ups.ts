import { sql as raw } from 'kysely'
import type { Operation, OperationKind, OperationState, StoredAnswer } from '../../../domain/operation.ts'
import type { RunEnder } from '../../../domain/runs/run.ts'
import { traceNamed } from '../../../domain/values/trace-name.ts'
import type { OperationsTable } from '../../schema/database.ts'
import type { Store } from '../../store.ts'

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
    participant: row.participant,
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
    runId: row.run_id,
    cause: row.cause as RunEnder | null,
    trace: traceNamed(row.trace_parent),
    owner: row.owner,
    idempotency: keyFingerprint === null || requestFingerprint === null ? null : { keyFingerprint, requestFingerprint },
    answer: status === null || answer === null ? null : { status, body: JSON.parse(answer) as StoredAnswer['body'] }
  }
}

/** Filter of a list of operations, the newest first. */
export interface OperationFilter {
  open?: boolean | undefined
  tenantId?: string | undefined
  limit: number
}

/** Operations by their id or their key, and lists of them. */
export function operationLookUps({ engine, sql }: Store) {
  const open = sql.selectFrom('operations').selectAll().where(isOpen)

  return {
    async find(id: string): Promise<Operation | null> {
      const [row] = await engine.read(sql.selectFrom('operations').selectAll().where('id', '=', id).compile())
      return row === undefined ? null : toOperation(row)
    },

    /** The one that was sent under this key, whatever became of it. */
    async findByKey(keyFingerprint: string): Promise<Operation | null> {
      const query = sql.selectFrom('operations').selectAll().where('idempotency_fingerprint', '=', keyFingerprint)
      const [row] = await engine.read(query.compile())
      return row === undefined ? null : toOperation(row)
    },

    /** Lists operations for the CLI. */
    async list({ open: onlyOpen, tenantId, limit }: OperationFilter): Promise<Operation[]> {
      let wanted = onlyOpen ? open : sql.selectFrom('operations').selectAll()
      if (tenantId !== undefined) wanted = wanted.where('tenant_id', '=', tenantId)
      const rows = await engine.scan(wanted.orderBy('sent_at', 'desc').limit(limit).compile())
      return rows.map(toOperation)
    }
  }
}
