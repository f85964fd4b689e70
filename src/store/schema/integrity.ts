import { sql as raw } from 'kysely'
import type { Engine } from '../engine/engine.ts'
import type { Sql } from './database.ts'

interface Foreign {
  type: string
  name: string
}

const inSqlite = raw<Foreign>`select type, name from sqlite_master where type in ('trigger', 'view')`

const inPostgres = raw<Foreign>`
  select 'trigger' as type, tgname::text as name from pg_trigger join pg_class on pg_class.oid = tgrelid
    where not tgisinternal and relnamespace = current_schema()::regnamespace
  union all select 'rule', rulename::text from pg_rules where schemaname = current_schema()
  union all select 'view', viewname::text from pg_views where schemaname = current_schema()`

/** Triggers and views could keep what is written from being there, or show what is not. Null when there are none: Livegate makes none. */
export async function findForeign(engine: Engine, sql: Sql): Promise<string | null> {
  const [found] = await engine.read((engine.dialect === 'sqlite' ? inSqlite : inPostgres).compile(sql))
  return found === undefined ? null : `the store has a ${found.type} ${found.name}, which Livegate has not made`
}

/** Finds what is wrong with the file, such as an index that shows other rows than its table; null when nothing is. */
export async function findDamage(engine: Engine, sql: Sql): Promise<string | null> {
  // A server looks after its files itself.
  if (engine.dialect === 'postgres') return null
  const [row] = await engine.scan(raw<{ integrity_check: string }>`pragma integrity_check(1)`.compile(sql))
  return row?.integrity_check === 'ok' ? null : String(row?.integrity_check)
}
