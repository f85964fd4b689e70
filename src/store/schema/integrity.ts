import { sql as raw } from 'kysely'
import type { Engine } from '../engine/engine.ts'
import type { Sql } from './database.ts'

/** Triggers and views could keep what is written from being there, or show what is not. Null when there are none: Livegate makes none. */
export async function findForeign(engine: Engine, sql: Sql): Promise<string | null> {
  const query = raw<{
    type: string
    name: string
  }>`select type, name from sqlite_master where type in ('trigger', 'view')`
  const [found] = await engine.read(query.compile(sql))
  return found === undefined ? null : `the store has a ${found.type} ${found.name}, which Livegate has not made`
}

/** Finds what is wrong with the file, such as an index that shows other rows than its table; null when nothing is. */
export async function findDamage(engine: Engine, sql: Sql): Promise<string | null> {
  const [row] = await engine.scan(raw<{ integrity_check: string }>`pragma integrity_check(1)`.compile(sql))
  return row?.integrity_check === 'ok' ? null : String(row?.integrity_check)
}
