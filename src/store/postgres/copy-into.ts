import { sql as raw } from 'kysely'
import type { Client } from 'pg'
import type { PostgresHome } from '../../domain/store-home.ts'
import type { Row } from '../engine/engine.ts'
import { StoreError } from '../engine/engine.ts'
import { ownerName } from '../served/predecessor.ts'
import type { Store } from '../store.ts'
import { writeLock } from './base.ts'
import { Primary, pipelineTo, toParameters } from './connect.ts'
import { fromPostgres } from './errors.ts'

/** Tables that others refer to. */
const first = ['tenants', 'stop_orders']
const rowsAtOnce = 1_000

/**
 * Copies all rows of a file into a database that has a store without rows: all of them in one transaction, or none.
 * @param onTable hears of each table, and how many rows of it were copied
 * @throws StoreError
 */
export async function copyInto(
  home: PostgresHome,
  from: Store,
  onTable: (table: string, rows: number) => void = () => {}
): Promise<void> {
  const client = pipelineTo(home, { statementMs: 0, lockMs: 10_000, idleInTransactionMs: 0 })
  try {
    await client.connect()
    await new Primary(home).demand(client)
    await client.query('begin')
    await client.query(`select pg_advisory_xact_lock(${writeLock})`)
    const { rows } = await client.query('select 1 from tenants union all select 1 from audit_events limit 1')
    if (rows.length > 0) throw new StoreError('there is a store with tenants or events: nothing was copied')
    await client.query('delete from meta')
    for (const table of await tablesOf(from)) onTable(table, await copyTable(client, from, table))
    await client.query('commit')
  } catch (error) {
    throw fromPostgres(error)
  } finally {
    client.connection.stream.destroy()
  }
}

async function tablesOf({ engine, sql }: Store): Promise<string[]> {
  const query = raw<{ name: string }>`select name from sqlite_schema where type = 'table' order by name`
  const names = (await engine.read(query.compile(sql))).map(({ name }) => name)
  return [...first, ...names.filter(name => !first.includes(name))]
}

async function copyTable(client: Client, { engine, sql }: Store, table: string): Promise<number> {
  const name = client.escapeIdentifier(table)
  const insert = `insert into ${name} select * from json_populate_recordset(null::${name}, $1)`
  let copied = 0
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const page = raw<Row & { place: number }>`select rowid as place, * from ${raw.table(table)}
      where rowid > ${after} order by rowid limit ${rowsAtOnce}`
    const rows = await engine.scan(page.compile(sql))
    // Another gateway serves the copy, if any.
    const kept = rows.filter(row => table !== 'meta' || row.name !== ownerName)
    await client.query(insert, [JSON.stringify(kept.map(({ place: _, ...row }) => withoutZero(row)))])
    copied += kept.length
    after = rows.at(-1)?.place ?? after
    if (rows.length < rowsAtOnce) return copied
  }
}

function withoutZero(row: Row): Row {
  const values = toParameters(Object.values(row))
  return Object.fromEntries(Object.keys(row).map((name, i) => [name, values[i]]))
}
