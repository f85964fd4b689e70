import { randomBytes } from 'node:crypto'
import { type CompiledQuery, sql } from 'kysely'
import { noHash } from '../../domain/audit/audit-chain.ts'
import { Conflict, type Engine, StoreError } from '../engine/engine.ts'
import { type Sql, sha256Hex } from './database.ts'
import { ownedTables, refuseTwins, spelledTables, spellingIndex } from './spelling.ts'

/** One step each; step N takes the schema from version N to N + 1. Written for both dialects. Never edited afterwards. */
const steps: ((db: Sql) => CompiledQuery[])[] = [
  firstSchema,
  chainedAudit,
  replayableOperations,
  knownSessions,
  shortLookUps,
  orderedOperations,
  orderedSightings,
  oneSpelling,
  confirmedStops,
  provedLivestreams,
  datedConfirmations
]

export const schemaVersion = steps.length

/**
 * Brings the schema to this version. Several processes may try at once: one wins each step, the others go on from there.
 * @throws StoreError when the schema is newer than this program: an older one must not write into it.
 */
export async function migrate(engine: Engine, db: Sql): Promise<void> {
  await engine.write([
    sql`create table if not exists meta (name text primary key, value text not null)`.compile(db),
    sql`insert into meta (name, value) values ('schema_version', '0'), ('revision', '0') on conflict do nothing`.compile(
      db
    )
  ])
  await refuseWhatCannotBe(engine, db)
  for (let version = await readVersion(engine, db); version < steps.length; version = await readVersion(engine, db)) {
    const step = steps[version]?.(db) ?? []
    const claim = db
      .updateTable('meta')
      .set({ value: String(version + 1) })
      .where('name', '=', 'schema_version')
      .where('value', '=', String(version))
      .compile()
    try {
      await engine.write([{ ...claim, changes: 1 }, ...step])
    } catch (error) {
      if (!(error instanceof Conflict)) throw error // else another process has just taken this step
    }
  }
}

/** Before any step, so that the Livegate of before can still be started. @throws StoreError */
async function refuseWhatCannotBe(engine: Engine, db: Sql): Promise<void> {
  const version = await readVersion(engine, db)
  const isOlder = version > 0 && version <= steps.indexOf(oneSpelling)
  if (isOlder) await refuseTwins(engine, db, version > steps.indexOf(knownSessions) ? spelledTables : ownedTables)
}

/** @throws StoreError unless the schema is of this version: for who only looks */
export async function checkVersion(engine: Engine, db: Sql): Promise<void> {
  const version = await readVersion(engine, db)
  if (version < steps.length) {
    throw new StoreError(
      `the store has schema version ${version}, this Livegate needs ${steps.length}: start \`serve\` once`
    )
  }
}

async function readVersion(engine: Engine, db: Sql): Promise<number> {
  const rows = await engine.read(db.selectFrom('meta').select('value').where('name', '=', 'schema_version').compile())
  const version = Number(rows[0]?.value)
  if (version > steps.length) {
    throw new StoreError(
      `the store has schema version ${version}, this Livegate knows ${steps.length}: a newer Livegate has written it`
    )
  }
  return version
}

function firstSchema(db: Sql): CompiledQuery[] {
  const schema = db.schema
  return [
    schema
      .createTable('tenants')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('upstream', 'text', c => c.notNull())
      .addColumn('read_limit', 'text')
      .addColumn('write_limit', 'text')
      .addColumn('suspended_at', 'bigint')
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema.createIndex('tenants_revision').on('tenants').column('revision'),
    schema
      .createTable('api_keys')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('name', 'text', c => c.notNull())
      .addColumn('scopes', 'text', c => c.notNull())
      .addColumn('digest', 'text', c => c.notNull().unique())
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('expires_at', 'bigint')
      .addColumn('revoked_at', 'bigint')
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema.createIndex('api_keys_revision').on('api_keys').column('revision'),
    schema
      .createTable('meetings')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('upstream', 'text', c => c.notNull())
      .addColumn('title', 'text')
      .addColumn('snapshot', 'text')
      .addColumn('observed_at', 'bigint')
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('released_at', 'bigint')
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema.createIndex('meetings_tenant').on('meetings').columns(['tenant_id', 'created_at', 'id']),
    schema.createIndex('meetings_revision').on('meetings').column('revision'),
    schema
      .createTable('livestreams')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('upstream', 'text', c => c.notNull())
      .addColumn('meeting_id', 'text')
      .addColumn('status', 'text', c => c.notNull())
      .addColumn('snapshot', 'text', c => c.notNull())
      .addColumn('created_at', 'bigint', c => c.notNull())
      .addColumn('observed_at', 'bigint', c => c.notNull())
      .addColumn('released_at', 'bigint')
      .addColumn('revision', 'bigint', c => c.notNull()),
    schema.createIndex('livestreams_tenant').on('livestreams').columns(['tenant_id', 'created_at', 'id']),
    schema.createIndex('livestreams_meeting').on('livestreams').columns(['meeting_id', 'created_at']),
    schema.createIndex('livestreams_revision').on('livestreams').column('revision'),
    schema
      .createTable('operations')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('key_id', 'text', c => c.notNull())
      .addColumn('kind', 'text', c => c.notNull())
      .addColumn('meeting_id', 'text')
      .addColumn('livestream_id', 'text')
      .addColumn('state', 'text', c => c.notNull())
      .addColumn('request_id', 'text', c => c.notNull())
      .addColumn('sent_at', 'bigint', c => c.notNull())
      .addColumn('settled_at', 'bigint'),
    // At most one open start a meeting, whoever asks: the last wall against a second livestream.
    schema
      .createIndex('operations_open_start')
      .on('operations')
      .column('meeting_id')
      .unique()
      .where(sql.ref('kind'), '=', sql.lit('start'))
      .where(sql.ref('state'), 'in', sql`('sent', 'unknown')`),
    schema.createIndex('operations_state').on('operations').columns(['state', 'sent_at']),
    schema
      .createTable('audit_events')
      .addColumn('seq', 'bigint', c => c.primaryKey())
      .addColumn('time', 'bigint', c => c.notNull())
      .addColumn('tenant_id', 'text')
      .addColumn('action', 'text', c => c.notNull())
      .addColumn('outcome', 'text', c => c.notNull())
      .addColumn('request_id', 'text', c => c.notNull())
      .addColumn('event', 'text', c => c.notNull()),
    schema.createIndex('audit_events_tenant').on('audit_events').columns(['tenant_id', 'seq']),
    schema.createIndex('audit_events_action').on('audit_events').columns(['tenant_id', 'action', 'seq']),
    schema.createIndex('audit_events_outcome').on('audit_events').columns(['tenant_id', 'outcome', 'seq']),
    schema.createIndex('audit_events_time').on('audit_events').columns(['tenant_id', 'time'])
  ].map(builder => builder.compile())
}

/** The events of before are chained as they stand. */
function chainedAudit(db: Sql): CompiledQuery[] {
  const { schema } = db
  const linked = (previous: string, event: string) => sha256Hex(sql`${sql.ref(previous)} || ${sql.ref(event)}`)
  return [
    schema
      .alterTable('audit_events')
      .addColumn('prev_hash', 'text', c => c.notNull().defaultTo(''))
      .compile(),
    schema
      .alterTable('audit_events')
      .addColumn('hash', 'text', c => c.notNull().defaultTo(''))
      .compile(),
    sql`with recursive chain (seq, prev_hash, hash) as (
      select 1, ${sql.lit(noHash)}, ${sha256Hex(sql`${sql.lit(noHash)} || event`)} from audit_events where seq = 1
      union all
      select chain.seq + 1, chain.hash, ${linked('chain.hash', 'next.event')}
      from chain join audit_events as next on next.seq = chain.seq + 1
    )
    update audit_events set prev_hash = chain.prev_hash, hash = chain.hash from chain where chain.seq = audit_events.seq`.compile(
      db
    ),
    schema
      .createTable('audit_checkpoints')
      .addColumn('kind', 'text', c => c.notNull())
      .addColumn('seq', 'bigint', c => c.notNull())
      .addColumn('time', 'bigint', c => c.notNull())
      .addColumn('note', 'text', c => c.notNull())
      .addPrimaryKeyConstraint('audit_checkpoints_key', ['kind', 'seq'])
      .compile(),
    schema.createIndex('operations_settled').on('operations').column('settled_at').compile(),
    // Names the log in its checkpoints, so that those of another store are not taken for its own.
    db
      .insertInto('meta')
      .values({ name: 'audit_log', value: randomBytes(8).toString('hex') })
      .compile()
  ]
}

function replayableOperations(db: Sql): CompiledQuery[] {
  const { schema } = db
  const operations = () => schema.alterTable('operations')
  return [
    operations().addColumn('upstream', 'text', c => c.notNull().defaultTo('default')),
    operations().addColumn('idempotency_fingerprint', 'text'),
    operations().addColumn('request_fingerprint', 'text'),
    operations().addColumn('answer_status', 'integer'),
    operations().addColumn('answer', 'text'),
    // The last wall against a second execution under one key. The digest covers the tenant.
    schema.createIndex('operations_idempotency').on('operations').column('idempotency_fingerprint').unique(),
    schema.createIndex('operations_meeting').on('operations').columns(['meeting_id', 'sent_at'])
  ].map(builder => builder.compile())
}

/** Which runs and which meetings' sessions a tenant has seen, and what its analytics are made of. */
function knownSessions(db: Sql): CompiledQuery[] {
  const { schema } = db
  return [
    schema
      .createTable('livestream_sessions')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('livestream_id', 'text', c => c.notNull())
      .addColumn('began_at', 'bigint', c => c.notNull())
      .addColumn('ingest_seconds', 'double precision', c => c.notNull())
      .addColumn('viewer_seconds', 'double precision', c => c.notNull())
      .addColumn('observed_at', 'bigint', c => c.notNull()),
    schema.createIndex('livestream_sessions_tenant').on('livestream_sessions').columns(['tenant_id', 'began_at']),
    schema
      .createTable('meeting_sessions')
      .addColumn('id', 'text', c => c.primaryKey())
      .addColumn('tenant_id', 'text', c => c.notNull().references('tenants.id'))
      .addColumn('meeting_id', 'text', c => c.notNull())
      .addColumn('observed_at', 'bigint', c => c.notNull()),
    // When all runs of a livestream were asked for last: what was seen of it since is not in the figures yet.
    schema.alterTable('livestreams').addColumn('runs_seen_at', 'bigint'),
    schema.createIndex('operations_livestream').on('operations').columns(['livestream_id', 'sent_at'])
  ].map(builder => builder.compile())
}

/**
 * What a start or a stop looks up must not grow with the history of its meeting, and what it writes should touch few pages:
 * indexes of what few rows have hold those rows alone. A query uses one when it says the same in the same words.
 */
function shortLookUps(db: Sql): CompiledQuery[] {
  return [
    sql`drop index operations_state`,
    sql`create index operations_open on operations (meeting_id, sent_at) where state in ('sent', 'unknown')`,
    sql`drop index operations_livestream`,
    sql`create index operations_switches on operations (livestream_id, sent_at) where kind in ('enable_livestream', 'disable_livestream')`,
    sql`drop index operations_idempotency`,
    sql`create unique index operations_idempotency on operations (idempotency_fingerprint)
      where idempotency_fingerprint is not null`,
    sql`create index livestreams_last on livestreams
      (meeting_id, (status in ('INVOKED', 'LIVE')), observed_at, created_at)`
  ].map(step => step.compile(db))
}

/**
 * The order of operations is a counter, since a clock may be set back. Those of before are numbered by their times, which is all
 * that is known of them; so are the starts that were open when a stop was sent.
 */
function orderedOperations(db: Sql): CompiledQuery[] {
  const column = (name: string, type: 'bigint' | 'integer' | 'text') =>
    db.schema.alterTable('operations').addColumn(name, type).compile()
  return [
    column('ordinal', 'bigint'),
    column('open_start_id', 'text'),
    column('vendor_at', 'bigint'),
    column('sent_again_at', 'bigint'),
    column('upstream_status', 'integer'),
    column('reason', 'text'),
    ...[
      sql`update operations set ordinal = numbered.place
        from (select id, row_number() over (order by sent_at, id) as place from operations) as numbered
        where numbered.id = operations.id`,
      sql`update operations set open_start_id = (
          select start.id from operations as start
          where start.meeting_id = operations.meeting_id and start.kind = 'start' and start.state <> 'failed'
            and start.sent_at <= operations.sent_at
            and (start.settled_at is null or start.settled_at >= operations.sent_at)
          order by start.ordinal desc limit 1)
        where kind = 'stop' and state in ('sent', 'unknown')`,
      sql`create index operations_ordinal on operations (ordinal)`,
      sql`drop index operations_open`,
      sql`create index operations_open on operations (meeting_id, ordinal) where state in ('sent', 'unknown')`,
      sql`drop index operations_switches`,
      sql`create index operations_switches on operations (livestream_id, ordinal) where kind in ('enable_livestream', 'disable_livestream')`,
      sql`drop index operations_meeting`,
      sql`create index operations_starts on operations (meeting_id, ordinal) where kind = 'start'`
    ].map(step => step.compile(db))
  ]
}

/** Which livestream of a meeting was seen last is told by its revision, for the same reason. */
function orderedSightings(db: Sql): CompiledQuery[] {
  return [
    sql`drop index livestreams_last`,
    sql`create index livestreams_last on livestreams
      (meeting_id, (status in ('INVOKED', 'LIVE')), revision, created_at)`
  ].map(step => step.compile(db))
}

/** A stop that is done may have found nothing: which ones the vendor has confirmed is another matter. */
function confirmedStops(db: Sql): CompiledQuery[] {
  return [db.schema.alterTable('operations').addColumn('confirmed_at', 'bigint').compile()]
}

/**
 * Which livestreams are the tenant's by more than the answer that began them. Of those of before nobody knows by which answer they came:
 * the next one that names their meeting proves them, and a wrong one can be put right.
 */
function provedLivestreams(db: Sql): CompiledQuery[] {
  return [db.schema.alterTable('livestreams').addColumn('proved_at', 'bigint').compile()]
}

/** The vendor's time of a confirmed stop, which may have been sent again long after it first went out. */
function datedConfirmations(db: Sql): CompiledQuery[] {
  return [db.schema.alterTable('operations').addColumn('confirmed_vendor_at', 'bigint').compile()]
}

/** Two rows whose ids are one UUID in another case cannot come to be. `refuseTwins` comes before it. */
function oneSpelling(db: Sql): CompiledQuery[] {
  return spelledTables.map(table => spellingIndex(db, table))
}
