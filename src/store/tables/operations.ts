import { sql as raw } from 'kysely'
import type { PlacedMeeting } from '../../domain/meeting.ts'
import {
  type Operation,
  type OperationKind,
  type OperationState,
  type StoredAnswer,
  switches
} from '../../domain/operation.ts'
import { compileOnce } from '../engine/compile-once.ts'
import type { Statement } from '../engine/engine.ts'
import type { OperationsTable } from '../schema/database.ts'
import type { Store } from '../store.ts'

/** How an operation ends, or stands. */
export interface OperationEnd {
  state: OperationState
  livestreamId?: string | null
  /** For whoever asks the same again; absent while it may still change. */
  answer?: StoredAnswer | null
  /** Nothing was executed: the same key may be used for another try. */
  freesKey?: boolean
  /** The vendor has called this stop a success: its clock then, in epoch ms, as far as it tells. */
  confirmed?: { vendorAtMs: number | null } | undefined
  /** The vendor's status and words. What is known of before stays when there are none. */
  upstreamStatus?: number | undefined
  reason?: string | undefined
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
}

/** An operation among those of its meeting. */
type Ordered = Pick<Operation, 'id' | 'upstream'> & { meetingId: string }

/** The part of a row that a caller gives; the rest is known to the store alone. */
type Given = Omit<OperationsTable, 'ordinal' | 'open_start_id' | 'confirmed_at' | 'confirmed_vendor_at'>

/** A row to be written, with what decides how the store fills in the rest. */
interface NewRow extends Given {
  wasSent: boolean
  isStop: boolean
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

/** After all that are there. What is open is never removed, so that nothing comes before what it is compared with. */
const nextOrdinal = raw<number>`(select coalesce(max(ordinal), 0) + 1 from operations)`
const ordinalOf = (id: string) => raw<number>`(select ordinal from operations where id = ${id})`

/**
 * The table `operations`: every mutation that went, or may have gone, upstream. Their order is that of their ordinals, which
 * the store gives as they are written, and never that of their times: a clock may be set back. What was answered without being
 * sent has its row for its key alone, and no place in the order.
 */
export function operationsIn({ engine, sql }: Store) {
  const open = sql.selectFrom('operations').selectAll().where(isOpen)
  const insert = compileOnce(({ wasSent, isStop, ...row }: NewRow) =>
    sql.insertInto('operations').values({
      ...row,
      ordinal: wasSent ? nextOrdinal : null,
      open_start_id: isStop
        ? raw<string>`(select id from operations where meeting_id = ${row.meeting_id} and upstream = ${row.upstream} and kind = 'start' and ${isOpen})`
        : null
    })
  )

  // Of one kind each: with a parameter for it SQLite would plan the query anew whenever it changes.
  const openOf = (kind: OperationKind, meetingId: string) =>
    open.where('meeting_id', '=', meetingId).where('kind', '=', raw.lit(kind))
  const openStarts = compileOnce(({ meetingId }: { meetingId: string }) => openOf('start', meetingId))
  const openStops = compileOnce(({ id, upstream }: PlacedMeeting) =>
    openOf('stop', id).where('upstream', '=', upstream).orderBy('ordinal')
  )

  /** Those at the vendor account that the operation was sent to. */
  const startsBeside = ({ meetingId, upstream }: Ordered) =>
    sql
      .selectFrom('operations')
      .where('meeting_id', '=', meetingId)
      .where('upstream', '=', upstream)
      .where('kind', '=', raw.lit('start'))

  const startedAfter = compileOnce((operation: Ordered) =>
    startsBeside(operation)
      .select('state')
      .where('ordinal', '>', ordinalOf(operation.id))
      .where('state', '!=', raw.lit('failed'))
  )

  const startedBefore = compileOnce((operation: Ordered) =>
    startsBeside(operation)
      .select('vendor_at')
      .where('ordinal', '<', ordinalOf(operation.id))
      .where('state', '=', raw.lit('done'))
      .where('vendor_at', 'is not', null)
      .orderBy('ordinal', 'desc')
      .limit(raw.lit(10))
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
        ...(known.reason !== null && { reason: known.reason })
      })
      .where('id', '=', id)
      .where(isOpen)
  )

  return {
    /** Written in one transaction with the audit intent. @throws UniqueViolation when the meeting has an open start, or the key is used */
    sent(operation: Operation): Statement {
      const { kind, state } = operation
      const wasSent = state === 'sent' || state === 'unknown'
      return insert({ ...toColumns(operation), wasSent, isStop: kind === 'stop' })
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
      const { state, livestreamId = null, answer = null, freesKey = false, confirmed, upstreamStatus, reason } = how
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
        reason: reason ?? null
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

    /** Whether a start of this meeting was open when this stop was written down, and may have begun something since. */
    async hadOpenStart({ id }: Operation): Promise<boolean> {
      const query = sql
        .selectFrom('operations as start')
        .innerJoin('operations as stop', 'stop.open_start_id', 'start.id')
        .select('start.id')
        .where('stop.id', '=', id)
        .where('start.state', '!=', 'failed')
      return (await engine.read(query.compile())).length > 0
    },

    /** The stops of this meeting that nobody has confirmed, and that are being repeated; the oldest first. */
    async unconfirmedStops({ id, upstream }: PlacedMeeting): Promise<Operation[]> {
      const rows = await engine.read(openStops({ id, upstream }))
      return rows.filter(({ state }) => state === 'unknown').map(toOperation)
    },

    /**
     * Whether a start of this meeting was sent after this operation and is `done`, or `open` and may have begun something. Null when
     * the operation has no row yet: until it has one, nothing is sent that would have to come after it (`WriteBehind.write`).
     */
    async laterStart({ id, meetingId, upstream }: Operation): Promise<'done' | 'open' | null> {
      const later = await engine.read(startedAfter({ id, meetingId: meetingId ?? '', upstream }))
      if (later.length === 0) return null
      return later.some(({ state }) => state === 'done') ? 'done' : 'open'
    },

    /** When the last done starts of this meeting before this one were sent, by the vendor's clock; the last one first, ten at most. */
    async startsBefore({ id, meetingId, upstream }: Operation): Promise<number[]> {
      const rows = await engine.read(startedBefore({ id, meetingId: meetingId ?? '', upstream }))
      return rows.map(({ vendor_at }) => Number(vendor_at))
    },

    /** Starts that are done and stops that the vendor confirmed, settled since then; in their order. What was answered without being sent is none of them. */
    async settledSince(sinceMs: number): Promise<Operation[]> {
      const settled = sql
        .selectFrom('operations')
        .selectAll()
        .where('settled_at', '>=', sinceMs)
        .where('state', '=', raw.lit('done'))
        .where('ordinal', 'is not', null)
        .where(raw<boolean>`(kind = 'start' or confirmed_at is not null)`)
      // `+ 0` keeps SQLite off the index of all ordinals: that of settled_at finds these few.
      return (await engine.read(settled.orderBy(raw`ordinal + 0`).compile())).map(toOperation)
    },

    /** A run that these confirmed stops have not ended is wanted: they are none any more that `settledSince` tells of. */
    overruled({ id, upstream }: PlacedMeeting, sinceMs: number): Statement {
      const stops = sql.updateTable('operations').set({ confirmed_at: null }).where('settled_at', '>=', sinceMs)
      const here = stops.where('meeting_id', '=', id).where('upstream', '=', upstream)
      return here.where('confirmed_at', 'is not', null).compile()
    },

    /** The last enabling or disabling of this operation's livestream that was sent later, and was not refused. */
    async laterSwitch({ id, livestreamId }: Operation): Promise<Operation | null> {
      const query = sql
        .selectFrom('operations')
        .selectAll()
        .where('livestream_id', '=', livestreamId)
        .where(isSwitched)
        .where('state', '!=', 'failed')
        .where('ordinal', '>', ordinalOf(id))
      const [row] = await engine.read(query.orderBy('ordinal', 'desc').limit(1).compile())
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
      // Sorted, since they are few: in the order of the index of all ordinals SQLite would walk through what is settled.
      return (await engine.read(open.orderBy(raw`ordinal + 0`).compile())).map(toOperation)
    },

    /** The start of this meeting whose outcome is not known, if there is one; by the index there is one at most. */
    async openStart(meetingId: string): Promise<Operation | null> {
      const [row] = await engine.read(openStarts({ meetingId }))
      return row === undefined ? null : toOperation(row)
    },

    /** The same, where it was sent to the vendor account that the meeting is at: another account's says nothing of what runs here. */
    async openStartAt({ id, upstream }: PlacedMeeting): Promise<Operation | null> {
      const start = await this.openStart(id)
      return start?.upstream === upstream ? start : null
    },

    /** The meetings that have such a start. For the CLI only. */
    async meetingsWithOpenStart(): Promise<string[]> {
      const rows = await engine.read(open.compile())
      return rows.filter(({ kind }) => kind === 'start').map(row => String(row.meeting_id))
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
