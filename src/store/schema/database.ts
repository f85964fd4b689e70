import {
  type CompiledQuery,
  type DataTypeNode,
  type Dialect,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql
} from 'kysely'
import type { ApiKeysTable, KeyUsesTable } from './key-tables.ts'
import type { MeetingParticipantsTable } from './participant-tables.ts'
import type { RunTables } from './run-tables.ts'
import type { StopOrderTables } from './stop-order-tables.ts'
import type { TenantWebhookTables } from './tenant-webhook-tables.ts'
import type { WebhookCountsTable, WebhookDeliveriesTable } from './webhook-tables.ts'

/**
 * The tables. Times are epoch milliseconds; JSON is text; there are no booleans: both dialects agree on these.
 * Rows that memory follows carry a `revision` and are never deleted (see `directory.ts`).
 */
export interface Database extends RunTables, StopOrderTables, TenantWebhookTables {
  tenants: TenantsTable
  api_keys: ApiKeysTable
  key_uses: KeyUsesTable
  meetings: MeetingsTable
  livestreams: LivestreamsTable
  operations: OperationsTable
  livestream_sessions: LivestreamSessionsTable
  meeting_sessions: MeetingSessionsTable
  audit_events: AuditEventsTable
  audit_checkpoints: AuditCheckpointsTable
  webhook_deliveries: WebhookDeliveriesTable
  webhook_counts: WebhookCountsTable
  meeting_participants: MeetingParticipantsTable
  meta: MetaTable
}

export interface TenantsTable {
  id: string
  name: string
  upstream: string
  read_limit: string | null
  write_limit: string | null
  suspended_at: number | null
  /** Limits of its runs (`live-limits.ts`). */
  max_duration_seconds: number | null
  default_duration_seconds: number | null
  max_live: number | null
  minutes_per_month: number | null
  /** `off`; else a run ends with its meeting. */
  stop_with_meeting: string | null
  /** Rules of the tokens of its participants (`preset.ts`): names as JSON, and `on`. */
  presets: string | null
  server_starts_only: string | null
  created_at: number
  revision: number
}

export interface MeetingsTable {
  id: string
  tenant_id: string
  upstream: string
  title: string | null
  snapshot: string | null
  observed_at: number | null
  created_at: number
  released_at: number | null
  revision: number
}

export interface LivestreamsTable {
  id: string
  tenant_id: string
  upstream: string
  meeting_id: string | null
  status: string
  snapshot: string
  created_at: number
  observed_at: number
  released_at: number | null
  revision: number
  /** Time at which its runs were asked for last, for the analytics. */
  runs_seen_at: number | null
  /** Time at which an answer first named its meeting; null for one that is known by the answer to its start, or its making, alone. */
  proved_at: number | null
}

/** One run of a livestream, which the vendor calls a livestream session, that a tenant was shown. */
export interface LivestreamSessionsTable {
  id: string
  tenant_id: string
  livestream_id: string
  began_at: number
  ingest_seconds: number
  viewer_seconds: number
  observed_at: number
}

/** A session of a meeting that a tenant was shown. */
export interface MeetingSessionsTable {
  id: string
  tenant_id: string
  meeting_id: string
  observed_at: number
}

export interface OperationsTable {
  id: string
  tenant_id: string
  key_id: string
  kind: string
  meeting_id: string | null
  livestream_id: string | null
  participant: string | null
  state: string
  request_id: string
  sent_at: number
  settled_at: number | null
  upstream: string
  /** Fingerprint of tenant and idempotency key, and of the request that it was sent with. */
  idempotency_fingerprint: string | null
  request_fingerprint: string | null
  /** Answer to the same request under the same key. It never has a stream key. */
  answer_status: number | null
  answer: string | null
  /** Its place in the order of what was sent; null when nothing was sent. See `operations.ts`. */
  ordinal: number | null
  /** The start of its meeting that was open when this stop was written down. */
  open_start_id: string | null
  /** Time of sending, by the vendor's clock. */
  vendor_at: number | null
  /** Time of a start's second sending. */
  sent_again_at: number | null
  /** Time at which the vendor confirmed this stop, by our clock; null when it is done for another reason. */
  confirmed_at: number | null
  /** The same by the vendor's clock. */
  confirmed_vendor_at: number | null
  upstream_status: number | null
  /** The vendor's words. */
  reason: string | null
  /** The run that this start has begun, or was answered with; the one that this stop of the gateway's names. */
  run_id: string | null
  /** Why it was sent, where no caller asked for it. */
  cause: string | null
  /** The trace of its call, as `traceparent` has it. */
  trace_parent: string | null
  /** The replica that carries it out; null where the store has one gateway. */
  owner: string | null
}

export interface AuditEventsTable {
  seq: number
  time: number
  tenant_id: string | null
  action: string
  outcome: string
  request_id: string
  event: string
  prev_hash: string
  hash: string
}

export interface AuditCheckpointsTable {
  kind: string
  seq: number
  time: number
  note: string
}

export interface MetaTable {
  name: string
  value: string
}

export type Sql = Kysely<Database>

/** Builds and types queries; it runs none. Running is the engine's work (`engine.ts`). */
export function sqlFor(dialect: 'sqlite' | 'postgres'): Sql {
  const parts: Dialect =
    dialect === 'sqlite'
      ? {
          createAdapter: () => new SqliteAdapter(),
          createDriver: () => new DummyDriver(),
          createIntrospector: db => new SqliteIntrospector(db),
          createQueryCompiler: () => new SqliteQueryCompiler()
        }
      : {
          createAdapter: () => new PostgresAdapter(),
          createDriver: () => new DummyDriver(),
          createIntrospector: db => new PostgresIntrospector(db),
          createQueryCompiler: () => new BytewiseCompiler()
        }
  return new Kysely<Database>({ dialect: parts })
}

/** Text columns compare and sort by their bytes, as SQLite's do, whatever the language of the database. */
class BytewiseCompiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataTypeNode): void {
    super.visitDataType(node)
    if (node.dataType === 'text') this.append(' collate "C"')
  }
}

export function isPostgres(db: Sql): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter
}

/** SHA-256 in hex of a text in UTF-8. SQLite's connections register the function (`sqlite-connection.ts`); PostgreSQL has it (`base.ts`). */
export function sha256Hex(text: RawBuilder<string>): RawBuilder<string> {
  return sql<string>`sha256_hex(${text})`
}

/** First statement of each transaction that changes followed rows: takes the next revision (and, on PostgreSQL, its lock). */
export function nextRevision(db: Sql): CompiledQuery {
  return oneMore(db, 'revision')
}

/** Says that a command has left work to the gateway that serves the store: orders to stop, or another webhook of a tenant. */
export function leaveWork(db: Sql): CompiledQuery {
  return oneMore(db, 'work_left')
}

function oneMore(db: Sql, name: 'revision' | 'work_left'): CompiledQuery {
  return db
    .updateTable('meta')
    .set({ value: sql`cast(cast(value as bigint) + 1 as text)` })
    .where('name', '=', name)
    .compile()
}

/** The revision that the running transaction took. */
export function thisRevision(): RawBuilder<number> {
  return sql<number>`(select cast(value as bigint) from meta where name = 'revision')`
}
