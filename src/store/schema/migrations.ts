import { type CompiledQuery, sql } from 'kysely'
import { Conflict, type Engine, StoreError } from '../engine/engine.ts'
import type { Sql } from './database.ts'
import { ownedTables, refuseTwins } from './spelling.ts'
import { firstSchema } from './steps/01-10/01-first-schema.ts'
import { chainedAudit } from './steps/01-10/02-chained-audit.ts'
import { replayableOperations } from './steps/01-10/03-replayable-operations.ts'
import { knownSessions } from './steps/01-10/04-known-sessions.ts'
import { shortLookUps } from './steps/01-10/05-short-look-ups.ts'
import { orderedOperations } from './steps/01-10/06-ordered-operations.ts'
import { orderedSightings } from './steps/01-10/07-ordered-sightings.ts'
import { oneSpelling, tablesThen } from './steps/01-10/08-one-spelling.ts'
import { confirmedStops } from './steps/01-10/09-confirmed-stops.ts'
import { provedLivestreams } from './steps/01-10/10-proved-livestreams.ts'
import { datedConfirmations } from './steps/11-20/11-dated-confirmations.ts'
import { ledgerOfRuns } from './steps/11-20/12-ledger-of-runs.ts'
import { webhooksIn } from './steps/11-20/13-webhooks-in.ts'
import { webhooksOut } from './steps/11-20/14-webhooks-out.ts'
import { stopOrders } from './steps/11-20/15-stop-orders.ts'
import { limitsOfTenants } from './steps/11-20/16-limits-of-tenants.ts'
import { countedOrders } from './steps/11-20/17-counted-orders.ts'
import { tracedOperations } from './steps/11-20/18-traced-operations.ts'
import { knownParticipants } from './steps/11-20/19-participants.ts'
import { ownedOperations } from './steps/11-20/20-owned-operations.ts'
import { addedParticipants } from './steps/21-30/21-added-participants.ts'
import { keyLines } from './steps/21-30/22-key-lines.ts'

/** The steps of the schema, a file each: the first makes version 1. They are written for both dialects and never edited afterwards. */
export const steps: ((db: Sql) => CompiledQuery[])[] = [
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
  datedConfirmations,
  ledgerOfRuns,
  webhooksIn,
  webhooksOut,
  stopOrders,
  limitsOfTenants,
  countedOrders,
  tracedOperations,
  knownParticipants,
  ownedOperations,
  addedParticipants,
  keyLines
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
  if (isOlder) await refuseTwins(engine, db, version > steps.indexOf(knownSessions) ? tablesThen : ownedTables)
}

/** Whether an older Livegate has written the store. @throws StoreError when it has no version */
export async function isBehind(engine: Engine, db: Sql): Promise<boolean> {
  return (await storedVersion(engine, db)) < steps.length
}

/** Checks the version for readers that must not migrate. @throws StoreError unless the schema is of this version */
export async function checkVersion(engine: Engine, db: Sql): Promise<void> {
  const version = await readVersion(engine, db)
  if (version < steps.length) {
    throw new StoreError(
      `the store has schema version ${version}, this Livegate needs ${steps.length}: start \`serve\` once`
    )
  }
}

async function storedVersion(engine: Engine, db: Sql): Promise<number> {
  const rows = await engine.read(db.selectFrom('meta').select('value').where('name', '=', 'schema_version').compile())
  return Number(rows[0]?.value)
}

async function readVersion(engine: Engine, db: Sql): Promise<number> {
  const version = await storedVersion(engine, db)
  if (version > steps.length) {
    throw new StoreError(
      `the store has schema version ${version}, this Livegate knows ${steps.length}: a newer Livegate has written it`
    )
  }
  return version
}
