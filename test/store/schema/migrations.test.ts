import { hash } from 'node:crypto'
import { join } from 'node:path'
import { sql as raw } from 'kysely'
import t from 'tap'
import { type Engine, StoreError } from '../../../src/store/engine/engine.ts'
import { SqliteConnection } from '../../../src/store/engine/sqlite-connection.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'
import { migrate, schemaVersion, steps } from '../../../src/store/schema/migrations.ts'
import { openStore, type Store } from '../../../src/store/store.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { refusalOf, tenantNamed } from '../../support/store/helper.ts'
import { openStoreHere } from '../../support/store.ts'

const sql = sqlFor('sqlite')

async function versionIn(engine: Engine): Promise<number> {
  const rows = await engine.read(sql.selectFrom('meta').selectAll().where('name', '=', 'schema_version').compile())
  return Number(rows[0]?.value)
}

async function tablesIn({ engine }: Store): Promise<string[]> {
  const tables = raw<{ name: string }>`select name from sqlite_master where type = 'table' order by name`
  return (await engine.read(tables.compile(sql))).map(({ name }) => name)
}

t.test('a new store has every table, and opening it again changes nothing', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const first = await openStore(file)
  t.strictSame(await tablesIn(first), [
    'api_keys',
    'audit_checkpoints',
    'audit_events',
    'broadcast_runs',
    'key_uses',
    'livestream_sessions',
    'livestreams',
    'meeting_participants',
    'meeting_sessions',
    'meetings',
    'meta',
    'operations',
    'ordered_stops',
    'run_events',
    'stop_orders',
    'tenant_webhook_deliveries',
    'tenant_webhooks',
    'tenants',
    'webhook_counts',
    'webhook_deliveries'
  ])
  t.equal(await versionIn(first.engine), schemaVersion)
  await tenantsIn(first).create(tenantNamed('acme'))
  await first.close()

  const second = await openStoreHere(file)
  t.teardown(() => second.close())
  await migrate(second.engine, sql)
  t.equal(await versionIn(second.engine), schemaVersion)
  t.match(await tenantsIn(second).list(), [{ id: 'acme' }])
})

t.test('two gateways that open a new store at once both find it ready', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const stores = await Promise.all([openStore(file), openStore(file)])
  t.teardown(() => Promise.all(stores.map(store => store.close())))
  for (const store of stores) t.equal(await versionIn(store.engine), schemaVersion)
  await Promise.all(stores.map((store, i) => tenantsIn(store).create(tenantNamed(`tenant-${i}`))))
  for (const store of stores) t.equal((await tenantsIn(store).list()).length, 2)
})

t.test('a process that loses the race for a step goes on from there', async t => {
  const { engine, close } = await openStoreHere(join(t.testdir(), 'livegate.db'))
  t.teardown(close)
  await engine.write([sql.updateTable('meta').set({ value: '0' }).where('name', '=', 'schema_version').compile()])
  const claims: string[] = []
  await migrate(
    {
      ...engine,
      async write(statements, options) {
        const claimsStep = statements[0]?.changes === 1
        if (!claimsStep) return engine.write(statements, options)
        // Another process takes the step between our look at the version and our claim.
        claims.push('lost')
        const taken = sql
          .updateTable('meta')
          .set({ value: String(schemaVersion) })
          .where('name', '=', 'schema_version')
        await engine.write([taken.compile()])
        return engine.write(statements, options)
      }
    },
    sql
  )
  t.strictSame(claims, ['lost'])
  t.equal(await versionIn(engine), schemaVersion)
})

t.test('a step that fails leaves the schema as it was, and the reason is told', async t => {
  const { engine, close } = await openStoreHere(join(t.testdir(), 'livegate.db'))
  t.teardown(close)
  await engine.write([sql.updateTable('meta').set({ value: '0' }).where('name', '=', 'schema_version').compile()])
  t.match(await refusalOf(migrate(engine, sql)), { constructor: StoreError, reason: /table "tenants" already exists/ })
  t.equal(await versionIn(engine), 0)
})

t.test('a store that a newer Livegate has written is refused and left as it is', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const store = await openStoreHere(file)
  const newer = sql
    .updateTable('meta')
    .set({ value: String(schemaVersion + 1) })
    .where('name', '=', 'schema_version')
  await store.engine.write([newer.compile()])
  await store.close()
  t.match(await refusalOf(openStore(file)), {
    constructor: StoreError,
    reason: `the store has schema version ${schemaVersion + 1}, this Livegate knows ${schemaVersion}: a newer Livegate has written it`
  })
  const looked = new SqliteConnection({ file, readonly: true })
  t.teardown(() => looked.close())
  const version = { sql: "select value from meta where name = 'schema_version'", parameters: [] }
  t.strictSame(looked.read(version), { rows: [[{ value: String(schemaVersion + 1) }]] })
})

t.test('every step can be written for PostgreSQL too', async t => {
  const written: string[] = []
  let version = 0
  const engine: Engine = {
    dialect: 'postgres',
    async read<R>() {
      return [{ value: String(version) }] as R[]
    },
    scan: async () => [],
    async serve() {},
    async write(statements) {
      if (statements[0]?.changes === 1) version++
      written.push(...statements.map(({ sql }) => sql))
      return []
    },
    async check() {},
    async fold() {},
    async close() {}
  }
  await migrate(engine, sqlFor('postgres'))
  t.equal(version, schemaVersion)
  t.match(written[2], /set "value" = \$1 where "name" = \$2 and "value" = \$3/)
  t.equal(written.filter(text => text.startsWith('create table "')).length, 19)
  t.notMatch(written.join(';'), /\?/)
})

t.test('a step is never edited: it does what it did to the stores that have taken it', t => {
  const digests = steps.map(step => {
    const texts = step(sql).map(({ sql }) => sql)
    return hash('sha256', texts.join(';')).slice(0, 12)
  })
  t.strictSame(digests, [
    '409a87fbbce5',
    '35bddbbcbc1a',
    'db683f4cd169',
    '755e50696bcf',
    '8834d7ac8d47',
    '27bd53c9b989',
    '94b3943a1798',
    '030f96d2c11e',
    '980b8052a9b0',
    '44bfa24fa64e',
    '92c67d31007c',
    '33606cc058bd',
    '9fbf4729f67b',
    '8db92c9c181d',
    '18fbb059504e',
    'eb9928ec9fc3',
    '8336023c8ee7',
    'cd61cafe5816',
    '54719a7432fd',
    '08f7c9dd9bf3',
    '9be616a73f5a',
    '1f932639fa2e'
  ])
  t.end()
})
