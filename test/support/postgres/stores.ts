/** Stores of tests in a PostgreSQL server instead of in files: the path of a file names a database. */
import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import type { PostgresHome } from '../../../src/domain/store-home.ts'
import { openPostgres } from '../../../src/store/postgres/postgres.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'
import { migrate } from '../../../src/store/schema/migrations.ts'
import type { Store } from '../../../src/store/store.ts'
import { type PostgresServer, startPostgres } from './server.ts'

let shared: Promise<PostgresServer> | undefined
/** Whether tests that can run on both have their stores here. */
let isUsed = false
const databases = new Map<string, Promise<PostgresHome>>()
const template = 'livegate_empty'

/** The one server of this process, with a store without rows. @param settings of the server, where nobody has used it yet */
export function sharedPostgres(...settings: string[]): Promise<PostgresServer> {
  shared ??= startPostgres(...settings).then(async server => {
    await server.run('postgres', `create database ${template}`)
    const engine = await openPostgres(server.home(template))
    await migrate(engine, sqlFor(engine.dialect))
    await engine.close()
    return server
  })
  return shared
}

/** From now on stores of tests are here. */
export function usePostgres(): void {
  isUsed = true
}

export function isOnPostgres(): boolean {
  return isUsed
}

/** A database with a store without rows. */
export async function newDatabase({ isEmpty = false } = {}): Promise<PostgresHome> {
  const server = await sharedPostgres()
  const name = `test_${randomBytes(6).toString('hex')}`
  await server.run(
    'postgres',
    `create database ${name} template ${isEmpty ? 'template0' : template} strategy file_copy`
  )
  return server.home(name)
}

/** The store that a path stands for. */
export function databaseOf(path: string, how?: { isEmpty: boolean }): Promise<PostgresHome> {
  const known = databases.get(path) ?? newDatabase(how)
  databases.set(path, known)
  return known
}

/** As `openStoreHere` does for a file. */
export async function openPostgresHere(path: string): Promise<Store> {
  const isNew = !databases.has(path)
  const engine = await openPostgres(await databaseOf(path))
  const sql = sqlFor(engine.dialect)
  await migrate(engine, sql).catch(async error => {
    await engine.close()
    throw error
  })
  if (isNew) {
    const ownLog = { value: randomBytes(8).toString('hex') }
    await engine.write([sql.updateTable('meta').set(ownLog).where('name', '=', 'audit_log').compile()])
  }
  return { engine, sql, close: () => engine.close() }
}

/** All rows of all tables. */
export async function rowsAsText(path: string): Promise<string> {
  const client = new Client({ ...(await databaseOf(path)), password: undefined, pipeline: true })
  await client.connect()
  try {
    const tables = await client.query('select tablename from pg_tables where schemaname = current_schema()')
    const parts = await Promise.all(
      tables.rows.map(({ tablename }) => client.query(`select t::text as text from ${tablename} t`))
    )
    return parts.flatMap(({ rows }) => rows.map(({ text }) => text)).join('\n')
  } finally {
    await client.end()
  }
}
