import type { Operation, OperationKind, OperationState } from '../domain/operation.ts'
import type { OperationsTable } from './database.ts'
import type { Statement } from './engine.ts'
import type { Store } from './store.ts'

/** The table `operations`: every mutation that went, or may have gone, upstream. */
export function operationsIn({ engine, sql }: Store) {
  return {
    /** Written in one transaction with the audit intent. @throws UniqueViolation when the meeting has an open start */
    sent(operation: Operation): Statement {
      return sql.insertInto('operations').values(toColumns(operation)).compile()
    },

    /** Closes an operation, or says that its outcome is unknown. One that is settled already stays as it is. */
    ended(id: string, state: OperationState, livestreamId: string | null, nowMs: number): Statement {
      return sql
        .updateTable('operations')
        .set({
          state,
          settled_at: state === 'unknown' ? null : nowMs,
          ...(livestreamId !== null && { livestream_id: livestreamId })
        })
        .where('id', '=', id)
        .where('state', 'in', ['sent', 'unknown'])
        .compile()
    },

    /** The start of this meeting whose outcome is not known, if there is one; by the index there is one at most. */
    async openStart(meetingId: string): Promise<Operation | null> {
      const [row] = await engine.read(
        sql
          .selectFrom('operations')
          .selectAll()
          .where('kind', '=', 'start')
          .where('meeting_id', '=', meetingId)
          .where('state', 'in', ['sent', 'unknown'])
          .compile()
      )
      return row === undefined ? null : toOperation(row)
    },

    /** The meetings that have such a start. For the CLI only. */
    async meetingsWithOpenStart(): Promise<string[]> {
      const rows = await engine.read(
        sql
          .selectFrom('operations')
          .select('meeting_id')
          .where('kind', '=', 'start')
          .where('state', 'in', ['sent', 'unknown'])
          .compile()
      )
      return rows.map(row => String(row.meeting_id))
    },

    /** Removes the oldest that were settled before; some at a time. Fewer than asked when none are left. */
    async removeSettled(beforeMs: number, atMost: number): Promise<number> {
      const oldest = sql
        .selectFrom('operations')
        .select('id')
        .where('settled_at', '<', beforeMs)
        .orderBy('settled_at')
        .limit(atMost)
      const [rows] = await engine.write([
        sql.deleteFrom('operations').where('id', 'in', oldest).returning('id').compile()
      ])
      return rows?.length ?? 0
    },

    /** Operations that were under way when the last process ended: nobody knows their outcome. */
    async leftSent(): Promise<Operation[]> {
      const rows = await engine.read(sql.selectFrom('operations').selectAll().where('state', '=', 'sent').compile())
      return rows.map(toOperation)
    }
  }
}
export type Operations = ReturnType<typeof operationsIn>

function toColumns(operation: Operation): OperationsTable {
  return {
    id: operation.id,
    tenant_id: operation.tenantId,
    key_id: operation.keyId,
    kind: operation.kind,
    meeting_id: operation.meetingId,
    livestream_id: operation.livestreamId,
    state: operation.state,
    request_id: operation.requestId,
    sent_at: operation.sentAtMs,
    settled_at: operation.settledAtMs
  }
}

function toOperation(row: OperationsTable): Operation {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    keyId: row.key_id,
    kind: row.kind as OperationKind,
    meetingId: row.meeting_id,
    livestreamId: row.livestream_id,
    state: row.state as OperationState,
    requestId: row.request_id,
    sentAtMs: row.sent_at,
    settledAtMs: row.settled_at
  }
}
