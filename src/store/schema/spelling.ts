import { type CompiledQuery, type RawBuilder, sql as raw } from 'kysely'
import type { Spelled } from '../../domain/id.ts'
import { type Engine, StoreError } from '../engine/engine.ts'
import type { Sql } from './database.ts'

/**
 * The tables whose ids are the vendor's. An id is one id however its letters are written when it is a UUID: two rows of which
 * the ids differ in nothing else cannot come to be, and what is looked up is found as the vendor wrote it. All other ids are
 * different when a letter is.
 */
export const ownedTables = ['meetings', 'livestreams'] as const
export const spelledTables = [
  ...ownedTables,
  'livestream_sessions',
  'meeting_sessions',
  'meeting_participants'
] as const
export type SpelledTable = (typeof spelledTables)[number]

/** The form of `isUuid`, in the words of the indexes: with other words they would not be used. */
const hasUuidForm = raw<boolean>`(length(id) = 36 and substr(id, 9, 1) = '-' and substr(id, 14, 1) = '-'
  and substr(id, 19, 1) = '-' and substr(id, 24, 1) = '-' and ltrim(lower(id), '0123456789abcdef-') = '')`

/** Condition that a row is the one that is meant, however its id is spelled. */
export function isSpelled({ likely, uuid }: Omit<Spelled, 'id'>): RawBuilder<boolean> {
  return uuid ? raw<boolean>`lower(id) = ${likely} and ${hasUuidForm}` : raw<boolean>`id = ${likely}`
}

/** The same of several UUIDs. @param likely in lower case */
export function areSpelled(likely: string[]): RawBuilder<boolean> {
  return raw<boolean>`lower(id) in (${raw.join(likely)}) and ${hasUuidForm}`
}

/** Id for a row to be written: as it is stored already, or else as it was given. */
export function asStored(table: SpelledTable, { id, ...how }: Spelled): RawBuilder<string> | string {
  return how.uuid ? raw<string>`coalesce((select id from ${raw.table(table)} where ${isSpelled(how)}), ${id})` : id
}

/** The statements that make it so, for one table. */
export function spellingIndex(db: Sql, table: SpelledTable): CompiledQuery {
  return raw`create unique index ${raw.ref(`${table}_spelling`)} on ${raw.table(table)} (lower(id)) where ${hasUuidForm}`.compile(
    db
  )
}

/**
 * Refuses two spellings of one id: only a person can tell which row is right, so the index that forbids them is not made.
 * @throws StoreError that names them
 */
export async function refuseTwins(engine: Engine, db: Sql, tables: readonly SpelledTable[]): Promise<void> {
  for (const table of tables) {
    const twins = raw<{ one: string; other: string }>`select min(id) as one, max(id) as other from ${raw.table(table)}
      where ${hasUuidForm} group by lower(id) having count(*) > 1 limit 1`
    const [found] = await engine.scan(twins.compile(db))
    if (found === undefined) continue
    throw new StoreError(
      `in ${table} ${found.one} and ${found.other} differ in case only, and are one to the vendor: nothing was changed. ` +
        `Remove the wrong one while no gateway runs (delete from ${table} where id = '…'), and start again`
    )
  }
}
