import { sql as raw } from 'kysely'
import type { PlacedMeeting } from '../../../domain/meeting.ts'
import type { Operation, OperationKind, OperationState, StoredAnswer } from '../../../domain/operation.ts'
import { compileOnce, type Statement } from '../../engine/engine.ts'
import type { OperationsTable } from '../../schema/database.ts'
import type { Store } from '../../store.ts'
import { isOpen, toOperation } from './look-ups.ts'
import { writerOf } from './owners.ts'

/** End of an operation, or its present state. */
export interface OperationEnd {
  state: OperationState
  livestreamId?: string | null
  /** Answer to a repetition of the call; absent while it may still change. */
  answer?: StoredAnswer | null
  /** Nothing was executed: the same key may be used for another try. */
  freesKey?: boolean
  /** The vendor has called this stop a success: its clock then, in epoch ms, as far as it tells. */
  confirmed?: { vendorAtMs: number | null } | undefined
  /** The vendor's status and words. What is known of before stays when there are none. */
  upstreamStatus?: number | undefined
  reason?: string | undefined
  /** The run of a start, where it is another than was thought. */
  runId?: string | null | undefined
}

interface EndColumns {
  id: string
  state: OperationState
  settledAtMs: number | null
  livestreamId: string | null
  answerStatus: number | null
  answer: string | null
  freesKey: boolean
  confirmedAtMs: number | null
  confirmedVendorAtMs: number | null
  upstreamStatus: number | null
  reason: string | null
  runId: string | null
}

/** The part of a row that a caller gives; the rest is known to the store alone. */
type Given = Omit<OperationsTable, 'ordinal' | 'open_start_id' | 'confirmed_at' | 'confirmed_vendor_at' | 'owner'>

/** A row to be written, with what decides how the store fills in the rest. */
interface NewRow extends Given {
  wasSent: boolean
  isStop: boolean
  /** An operation that has the key already keeps it. */
  yieldsKey: boolean
}

/** After all that are there. What is open is never removed, so that nothing comes before what it is compared with. */
const nextOrdinal = raw<number>`(select coalesce(max(ordinal), 0) + 1 from operations)`

/** Operations that are open: how they begin and end, and which there are. */
export function openOperations({ engine, sql }: Store) {
  const insert = compileOnce(({ wasSent, isStop, yieldsKey, ...row }: NewRow) =>
    sql.insertInto('operations').values({
      ...row,
      ...(yieldsKey && { idempotency_fingerprint: unlessTaken(row.idempotency_fingerprint) }),
      ordinal: wasSent ? nextOrdinal : null,
      owner: writerOf(engine),
      open_start_id: isStop
        ? raw<string>`(select id from operations where meeting_id = ${row.meeting_id} and upstream = ${row.upstream} and kind = 'start' and ${isOpen})`
        : null
    })
  )

  const end = compileOnce(({ id, state, settledAtMs, answerStatus, answer, freesKey, ...known }: EndColumns) =>
    sql
      .updateTable('operations')
      .set({
        state,
        settled_at: settledAtMs,
        ...(known.livestreamId !== null && { livestream_id: known.livestreamId }),
        ...(answer !== null && { answer_status: unlessAnswered('answer_status', answerStatus) }),
        ...(answer !== null && { answer: unlessAnswered('answer', answer) }),
        ...(freesKey && { idempotency_fingerprint: null }),
        ...(known.confirmedAtMs !== null && { confirmed_at: known.confirmedAtMs }),
        ...(known.confirmedVendorAtMs !== null && { confirmed_vendor_at: known.confirmedVendorAtMs }),
        ...(known.upstreamStatus !== null && { upstream_status: known.upstreamStatus }),
        ...(known.reason !== null && { reason: known.reason }),
        ...(known.runId !== null && { run_id: known.runId })
      })
      .where('id', '=', id)
      .where(isOpen)
  )

  const open = sql.selectFrom('operations').selectAll().where(isOpen)

  // One query for each kind: with a parameter for it SQLite would plan the query anew whenever it changes.
  const openOf = (kind: OperationKind, meetingId: string) =>
    open.where('meeting_id', '=', meetingId).where('kind', '=', raw.lit(kind))
  const openStarts = compileOnce(({ meetingId }: { meetingId: string }) => openOf('start', meetingId))
  const openStops = compileOnce(({ id, upstream }: PlacedMeeting) =>
    openOf('stop', id).where('upstream', '=', upstream).orderBy('ordinal')
  )

  const openStart = async (meetingId: string): Promise<Operation | null> => {
    const [row] = await engine.read(openStarts({ meetingId }))
    return row === undefined ? null : toOperation(row)
  }

  const openAdding = compileOnce(({ participant }: { participant: string }) =>
    open.where('participant', '=', participant)
  )

  return {
    /** Written in one transaction with the audit intent. @throws UniqueViolation when the meeting has an open start, or the key is used */
    sent(operation: Operation): Statement {
      const { kind, state } = operation
      const wasSent = state === 'sent' || state === 'unknown'
      return insert({ ...toColumns(operation), wasSent, isStop: kind === 'stop', yieldsKey: false })
    },

    /** The same for a stop that has gone on already: it has its row, and its place in the order, though its key is used. */
    wentOn(operation: Operation): Statement {
      return insert({ ...toColumns(operation), wasSent: true, isStop: true, yieldsKey: true })
    },

    /** Before a start is sent a second time. @throws Conflict when it is settled by now: then it must not be */
    sentAgain(id: string, nowMs: number): Statement {
      const query = sql.updateTable('operations').set({ sent_again_at: nowMs }).where('id', '=', id).where(isOpen)
      return { ...query.compile(), changes: 1 }
    },

    /**
     * Closes an operation, or says that its outcome is unknown. One that is settled already stays as it is. A stop that is
     * unknown and has an answer goes on being looked after, but its caller was told: that answer stays.
     */
    ended(id: string, how: OperationEnd, nowMs: number): Statement {
      const {
        state,
        livestreamId = null,
        answer = null,
        freesKey = false,
        confirmed,
        upstreamStatus,
        reason,
        runId
      } = how
      return end({
        id,
        state,
        settledAtMs: state === 'unknown' ? null : nowMs,
        livestreamId,
        answerStatus: answer?.status ?? null,
        answer: answer === null ? null : JSON.stringify(answer.body),
        freesKey,
        confirmedAtMs: confirmed === undefined ? null : nowMs,
        confirmedVendorAtMs: confirmed?.vendorAtMs ?? null,
        upstreamStatus: upstreamStatus ?? null,
        reason: reason ?? null,
        runId: runId ?? null
      })
    },

    /** The start of this meeting whose outcome is not known, if there is one; by the index there is one at most. */
    openStart,

    /** The call that adds this participant, by its keyed fingerprint, and whose outcome is not known; there is one at most. */
    async openAdding(participant: string): Promise<Operation | null> {
      const [row] = await engine.read(openAdding({ participant }))
      return row === undefined ? null : toOperation(row)
    },

    /** The same, where it was sent to the vendor account that the meeting is at: another account's says nothing of what runs here. */
    async openStartAt({ id, upstream }: PlacedMeeting): Promise<Operation | null> {
      const start = await openStart(id)
      return start?.upstream === upstream ? start : null
    },

    /** The stops of this meeting that nobody has confirmed, and that are being repeated; the oldest first. */
    async unconfirmedStops({ id, upstream }: PlacedMeeting): Promise<Operation[]> {
      const rows = await engine.read(openStops({ id, upstream }))
      return rows.filter(({ state }) => state === 'unknown').map(toOperation)
    },

    /** The meetings that have such a start. For the CLI only. */
    async meetingsWithOpenStart(): Promise<string[]> {
      const rows = await engine.read(open.compile())
      return rows.filter(({ kind }) => kind === 'start').map(row => String(row.meeting_id))
    },

    /** A run that these confirmed stops have not ended is wanted: they are none any more that `settledSince` tells of. */
    overruled({ id, upstream }: PlacedMeeting, sinceMs: number): Statement {
      const stops = sql.updateTable('operations').set({ confirmed_at: null }).where('settled_at', '>=', sinceMs)
      const here = stops.where('meeting_id', '=', id).where('upstream', '=', upstream)
      return here.where('confirmed_at', 'is not', null).compile()
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

function unlessTaken(fingerprint: string | null) {
  return raw<
    string | null
  >`case when exists (select 1 from operations where idempotency_fingerprint = ${fingerprint}) then null else ${fingerprint} end`
}

/** In the words of the store: a caller was told what stands there, or will be. */
function unlessAnswered<Value>(column: 'answer_status' | 'answer', value: Value) {
  return raw<Value>`case when kind = 'stop' and answer is not null then ${raw.ref(column)} else ${value} end`
}

function toColumns(operation: Operation): Given {
  return {
    id: operation.id,
    tenant_id: operation.tenantId,
    key_id: operation.keyId,
    kind: operation.kind,
    upstream: operation.upstream,
    meeting_id: operation.meetingId,
    livestream_id: operation.livestreamId,
    participant: operation.participant,
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
    reason: operation.reason,
    run_id: operation.runId,
    cause: operation.cause,
    trace_parent: operation.trace?.parent ?? null
  }
}
