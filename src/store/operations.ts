import { sql as raw } from 'kysely'
import {
  type Operation,
  type OperationKind,
  type OperationState,
  type StoredAnswer,
  switches
} from '../domain/operation.ts'
import { compileOnce } from './compile-once.ts'
import type { OperationsTable } from './database.ts'
import type { Statement } from './engine.ts'
import type { Store } from './store.ts'

/** How an operation ends, or stands. */
export interface OperationEnd {
  state: OperationState
  livestreamId?: string | null
  /** For whoever asks the same again; absent while it may still change. */
  answer?: StoredAnswer | null
  /** Nothing was executed: the same key may be used for another try. */
  freesKey?: boolean
}

interface EndColumns {
  id: string
  state: OperationState
  settledAtMs: number | null
  livestreamId: string | null
  answerStatus: number | null
  answer: string | null
  freesKey: boolean
}

/** Which operations a list has, the newest first. */
export interface OperationFilter {
  open?: boolean | undefined
  tenantId?: string | undefined
  limit: number
}

/** In the words of the index that has only these rows: with parameters SQLite would not see that it is the right one. */
const isOpen = raw<boolean>`state in ('sent', 'unknown')`
const isSwitched = raw<boolean>`kind in (${raw.join(switches.map(kind => raw.lit(kind)))})`

/** The table `operations`: every mutation that went, or may have gone, upstream. */
export function operationsIn({ engine, sql }: Store) {
  const open = sql.selectFrom('operations').selectAll().where(isOpen)
  const insert = compileOnce((row: OperationsTable) => sql.insertInto('operations').values(row))

  // Of one kind each: with a parameter for it SQLite would plan the query anew whenever it changes.
  const openOf = (kind: OperationKind) =>
    compileOnce(({ meetingId }: { meetingId: string }) =>
      open.where('meeting_id', '=', meetingId).where('kind', '=', raw.lit(kind))
    )
  const openStarts = openOf('start')
  const openStops = openOf('stop')

  const end = compileOnce(({ id, state, settledAtMs, livestreamId, answerStatus, answer, freesKey }: EndColumns) =>
    sql
      .updateTable('operations')
      .set({
        state,
        settled_at: settledAtMs,
        ...(livestreamId !== null && { livestream_id: livestreamId }),
        ...(answer !== null && { answer_status: answerStatus, answer }),
        ...(freesKey && { idempotency_fingerprint: null })
      })
      .where('id', '=', id)
      .where(isOpen)
  )

  return {
    /** Written in one transaction with the audit intent. @throws UniqueViolation when the meeting has an open start, or the key is used */
    sent(operation: Operation): Statement {
      return insert(toColumns(operation))
    },

    /** Closes an operation, or says that its outcome is unknown. One that is settled already stays as it is. */
    ended(
      id: string,
      { state, livestreamId = null, answer = null, freesKey = false }: OperationEnd,
      nowMs: number
    ): Statement {
      return end({
        id,
        state,
        settledAtMs: state === 'unknown' ? null : nowMs,
        livestreamId,
        answerStatus: answer?.status ?? null,
        answer: answer === null ? null : JSON.stringify(answer.body),
        freesKey
      })
    },

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

    /** Whether a start of this meeting was open at that time, and may have begun something since. */
    async hadOpenStart(meetingId: string, timeMs: number): Promise<boolean> {
      const query = sql
        .selectFrom('operations')
        .select('id')
        .where('meeting_id', '=', meetingId)
        .where('kind', '=', 'start')
        .where('sent_at', '<=', timeMs)
        .where('state', '!=', 'failed')
        .where(where => where.or([where('settled_at', 'is', null), where('settled_at', '>=', timeMs)]))
      return (await engine.read(query.limit(1).compile())).length > 0
    },

    /** The stops of this meeting that nobody has confirmed, and that are being repeated. */
    async unconfirmedStops(meetingId: string): Promise<Operation[]> {
      const rows = await engine.read(openStops({ meetingId }))
      return rows.filter(({ state }) => state === 'unknown').map(toOperation)
    },

    /** Whether a start of this meeting was sent later, and may have begun something. */
    async startedSince(meetingId: string, sentAtMs: number): Promise<boolean> {
      const query = sql
        .selectFrom('operations')
        .select('id')
        .where('meeting_id', '=', meetingId)
        .where('kind', '=', 'start')
        .where('sent_at', '>', sentAtMs)
        .where('state', '!=', 'failed')
      return (await engine.read(query.limit(1).compile())).length > 0
    },

    /** The last enabling or disabling of this operation's livestream that was sent later, and was not refused. */
    async laterSwitch({ id, livestreamId, sentAtMs }: Operation): Promise<Operation | null> {
      const query = sql
        .selectFrom('operations')
        .selectAll()
        .where('livestream_id', '=', livestreamId)
        .where(isSwitched)
        .where('state', '!=', 'failed')
        .where(where =>
          where.or([
            where('sent_at', '>', sentAtMs),
            // Within one millisecond any order will do, as long as it is one.
            where.and([where('sent_at', '=', sentAtMs), where('id', '>', id)])
          ])
        )
      const [row] = await engine.read(query.orderBy('sent_at', 'desc').orderBy('id', 'desc').limit(1).compile())
      return row === undefined ? null : toOperation(row)
    },

    /** For the CLI. */
    async list({ open: onlyOpen, tenantId, limit }: OperationFilter): Promise<Operation[]> {
      let wanted = onlyOpen ? open : sql.selectFrom('operations').selectAll()
      if (tenantId !== undefined) wanted = wanted.where('tenant_id', '=', tenantId)
      const rows = await engine.scan(wanted.orderBy('sent_at', 'desc').limit(limit).compile())
      return rows.map(toOperation)
    },

    /** Those whose outcome is not known; after a restart also those that were under way when the last process ended. */
    async unsettled(): Promise<Operation[]> {
      return (await engine.read(open.orderBy('sent_at').compile())).map(toOperation)
    },

    /** The start of this meeting whose outcome is not known, if there is one; by the index there is one at most. */
    async openStart(meetingId: string): Promise<Operation | null> {
      const [row] = await engine.read(openStarts({ meetingId }))
      return row === undefined ? null : toOperation(row)
    },

    /** The meetings that have such a start. For the CLI only. */
    async meetingsWithOpenStart(): Promise<string[]> {
      const rows = await engine.read(
        sql.selectFrom('operations').select('meeting_id').where('kind', '=', 'start').where(isOpen).compile()
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
    answer: operation.answer === null ? null : JSON.stringify(operation.answer.body)
  }
}

function toOperation(row: OperationsTable): Operation {
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
    settledAtMs: row.settled_at,
    idempotency: keyFingerprint === null || requestFingerprint === null ? null : { keyFingerprint, requestFingerprint },
    answer: status === null || answer === null ? null : { status, body: JSON.parse(answer) as StoredAnswer['body'] }
  }
}
