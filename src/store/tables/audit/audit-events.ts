import { type RawBuilder, sql as raw } from 'kysely'
import { type ChainedEvent, type ChainHead, noHash } from '../../../domain/audit/audit-chain.ts'
import type { AuditEvent, AuditFilter, ListedEvent } from '../../../domain/audit/audit-event.ts'
import type { Row, Statement } from '../../engine/engine.ts'
import { type AuditEventsTable, sha256Hex } from '../../schema/database.ts'
import type { Store } from '../../store.ts'

/** Range of events that a walk through the log passes, in order. */
export interface WalkOptions {
  afterSeq?: number
  upToSeq?: number
  sinceMs?: number | undefined
  untilMs?: number | undefined
  tenantId?: string | undefined
}

const walkAtOnce = 1_000

/**
 * The table `audit_events`: appended, never changed. One chain: `seq` has no gaps, and each event carries the hash of the one
 * before it, since the transaction that appends reads the head. Every process that writes into the store adds to the same chain.
 */
export function auditEventsIn({ engine, sql }: Store) {
  // Compiled once: this is the most frequent statement of all.
  const append = sql
    .insertInto('audit_events')
    .values(chained({ time: 0, tenant_id: null, action: '', outcome: '', request_id: '', event: '' }))
    .compile()

  return {
    /** Part of whatever transaction it belongs to. The link is `chainHash` of the domain, in SQL. */
    append(event: AuditEvent): Statement {
      const { tenant_id, outcome } = event.unmapped
      const text = JSON.stringify(event)
      const { time, api, metadata } = event
      // In the order of `chained`; the text twice, since it is hashed too.
      return {
        ...append,
        // An event that cannot be written keeps what it belongs to from being done.
        changes: 1,
        parameters: [time, tenant_id, api.operation, outcome, metadata.correlation_uid, text, text]
      }
    },

    /** A query for the head that can stand in a transaction. */
    headQuery,

    /** Part of a transaction that must come to nothing when the log has gone on. */
    demandHead({ seq }: ChainHead): Statement {
      const last = sql.selectFrom('audit_events').select(raw<number>`coalesce(max(seq), 0)`.as('seq'))
      const query = sql.selectFrom(last.as('head')).select('head.seq').where('head.seq', '=', seq)
      return { ...query.compile(), changes: 1 }
    },

    /** The head that `headQuery` found. */
    toHead,

    /** End of the log now. */
    async head(): Promise<ChainHead> {
      return toHead(await engine.read(headQuery()))
    },

    /** The tenant's events, the newest first. */
    async list(tenantId: string, filter: AuditFilter): Promise<ListedEvent[]> {
      const { action, outcome, sinceMs, untilMs, beforeSeq, limit } = filter
      let wanted = sql.selectFrom('audit_events').select(['seq', 'event']).where('tenant_id', '=', tenantId)
      if (action !== undefined) wanted = wanted.where('action', '=', action)
      if (outcome !== undefined) wanted = wanted.where('outcome', '=', outcome)
      if (sinceMs !== undefined) wanted = wanted.where('time', '>=', sinceMs)
      if (untilMs !== undefined) wanted = wanted.where('time', '<', untilMs)
      if (beforeSeq !== undefined) wanted = wanted.where('seq', '<', beforeSeq)
      const rows = await engine.scan(wanted.orderBy('seq', 'desc').limit(limit).compile())
      return rows.map(row => ({ seq: row.seq, event: JSON.parse(row.event) as AuditEvent }))
    },

    /** The whole log, or a part of it, in order and a thousand at a time, however long it is. */
    async *walk({
      afterSeq = 0,
      upToSeq = Number.MAX_SAFE_INTEGER,
      ...part
    }: WalkOptions = {}): AsyncGenerator<ChainedEvent[]> {
      const { sinceMs, untilMs, tenantId } = part
      let wanted = sql.selectFrom('audit_events').selectAll().where('seq', '<=', upToSeq)
      if (sinceMs !== undefined) wanted = wanted.where('time', '>=', sinceMs)
      if (untilMs !== undefined) wanted = wanted.where('time', '<', untilMs)
      if (tenantId !== undefined) wanted = wanted.where('tenant_id', '=', tenantId)
      for (let from = afterSeq; ; ) {
        const rows = await engine.scan(wanted.where('seq', '>', from).orderBy('seq').limit(walkAtOnce).compile())
        if (rows.length > 0) yield rows.map(toChained)
        if (rows.length < walkAtOnce) return
        from = rows[rows.length - 1]?.seq ?? from
      }
    },

    /** The first event that is not older, whatever came after it: up to there nothing may be cut. Null when all are older. */
    async firstSince(timeMs: number): Promise<number | null> {
      const query = sql.selectFrom('audit_events').select('seq').where('time', '>=', timeMs).orderBy('seq').limit(1)
      const [row] = await engine.scan(query.compile())
      return row?.seq ?? null
    },

    /** The last event of this time or before; 0 when all are later. */
    async lastUntil(timeMs: number): Promise<number> {
      const query = sql.selectFrom('audit_events').select('seq').where('time', '<=', timeMs).orderBy('seq', 'desc')
      const [row] = await engine.scan(query.limit(1).compile())
      return row?.seq ?? 0
    },

    /** Null when there is no such event. */
    async hashAt(seq: number): Promise<string | null> {
      const [row] = await engine.read(sql.selectFrom('audit_events').select('hash').where('seq', '=', seq).compile())
      return row?.hash ?? null
    },

    /** All rows there are, also such as `walk` would not pass: a row that was put into the file by hand can have any place, or none. */
    async count(): Promise<number> {
      const [row] = await engine.scan(
        sql.selectFrom('audit_events').select(raw<number>`count(*)`.as('count')).compile()
      )
      return Number(row?.count)
    },

    async firstSeq(): Promise<number | null> {
      const [row] = await engine.read(sql.selectFrom('audit_events').select('seq').orderBy('seq').limit(1).compile())
      return row?.seq ?? null
    },

    /** Removes the oldest events up to this one, some at a time. How many: fewer than asked when none are left. */
    async remove(upToSeq: number, atMost: number): Promise<number> {
      const oldest = sql
        .selectFrom('audit_events')
        .select('seq')
        .where('seq', '<=', upToSeq)
        .orderBy('seq')
        .limit(atMost)
      const [rows] = await engine.write([
        sql.deleteFrom('audit_events').where('seq', 'in', oldest).returning('seq').compile()
      ])
      return rows?.length ?? 0
    }
  }

  function headQuery(): Statement {
    return sql.selectFrom('audit_events').select(['seq', 'hash']).orderBy('seq', 'desc').limit(1).compile()
  }

  function chained(columns: Omit<AuditEventsTable, 'seq' | 'prev_hash' | 'hash'>) {
    const last = (column: 'seq' | 'hash', none: RawBuilder<unknown>) =>
      raw`coalesce((select ${raw.ref(column)} from audit_events order by seq desc limit 1), ${none})`
    const prevHash = last('hash', raw.lit(noHash))
    return {
      seq: raw<number>`${last('seq', raw.lit(0))} + 1`,
      ...columns,
      prev_hash: prevHash as RawBuilder<string>,
      hash: sha256Hex(raw<string>`${prevHash} || ${columns.event}`)
    }
  }
}
export type AuditEvents = ReturnType<typeof auditEventsIn>

function toHead([row]: Row[]): ChainHead {
  return row === undefined ? { seq: 0, hash: noHash } : { seq: Number(row.seq), hash: String(row.hash) }
}

function toChained({ seq, prev_hash, hash, event, ...columns }: AuditEventsTable): ChainedEvent {
  return { seq, prevHash: prev_hash, hash, event, columns }
}
