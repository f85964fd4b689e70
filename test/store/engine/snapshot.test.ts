import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { StoreError } from '../../../src/store/engine/engine.ts'
import { schemaVersion } from '../../../src/store/schema/migrations.ts'
import { openSnapshot, openStore } from '../../../src/store/store.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { eventOf, refusalOf, storeWithTenants, tenantNamed } from '../../support/store/helper.ts'
import { openStoreHere } from '../../support/store.ts'

t.test('a snapshot shows one moment, whoever writes meanwhile, and holds nobody back', async t => {
  const { store, file } = await storeWithTenants(t)
  const { append } = auditEventsIn(store)
  const threads = await openStore(file)
  t.teardown(() => threads.close())
  await store.engine.write([append(eventOf())])
  const snapshot = await openSnapshot(file)
  t.teardown(() => snapshot.close())

  await store.engine.write([append(eventOf()), append(eventOf())])
  await threads.engine.write([auditEventsIn(threads).append(eventOf())])
  await tenantsIn(store).create(tenantNamed('later'))
  const seen = auditEventsIn(snapshot)
  t.equal(await seen.count(), 1)
  await auditEventsIn(store).remove(1, 1)
  t.equal(await seen.count(), 1, 'also what is removed meanwhile')
  t.equal(await seen.firstSeq(), 1)
  const passed: number[] = []
  for await (const events of seen.walk()) passed.push(...events.map(({ seq }) => seq))
  t.strictSame(passed, [1])
  t.strictSame(
    (await tenantsIn(snapshot).list()).map(({ id }) => id),
    ['acme', 'globex']
  )

  const next = await openSnapshot(file)
  t.teardown(() => next.close())
  t.equal(await auditEventsIn(next).firstSeq(), 2, 'the next one shows the next moment')
  t.equal(await auditEventsIn(next).count(), 3)
})

t.test('nothing can be changed through a snapshot', async t => {
  const { store, file } = await storeWithTenants(t)
  const snapshot = await openSnapshot(file)
  t.teardown(() => snapshot.close())
  const { append } = auditEventsIn(snapshot)
  t.match(await refusalOf(snapshot.engine.write([append(eventOf())])), { constructor: StoreError })
  t.equal(await auditEventsIn(store).count(), 0)
  await store.engine.write([append(eventOf())])
  t.equal(await auditEventsIn(store).count(), 1, 'and the try holds nobody back')
})

t.test('looking changes no byte of a store at rest, and nobody else can read what SQLite puts beside it', async t => {
  const folder = t.testdir()
  const file = join(folder, 'livegate.db')
  const store = await openStoreHere(file)
  await store.engine.write([auditEventsIn(store).append(eventOf())])
  await store.close()
  const before = readFileSync(file)
  t.strictSame(readdirSync(folder), ['livegate.db'])
  const snapshot = await openSnapshot(file)
  t.equal(await auditEventsIn(snapshot).count(), 1)
  await snapshot.close()
  t.ok(before.equals(readFileSync(file)))
  // A reader may not remove its journal, which is empty: the next who writes does.
  const beside = readdirSync(folder).filter(name => name !== 'livegate.db')
  t.strictSame(beside, ['livegate.db-shm', 'livegate.db-wal'])
  for (const name of beside) t.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
  t.equal(statSync(`${file}-wal`).size, 0)
  await (await openStoreHere(file)).close()
  t.strictSame(readdirSync(folder), ['livegate.db'])
})

t.test('a store that is not there is refused, and not made', async t => {
  const folder = t.testdir()
  const file = join(folder, 'sub', 'livegate.db')
  t.match(await refusalOf(openSnapshot(file)), {
    constructor: StoreError,
    reason: new RegExp(`^cannot open ${file}: `)
  })
  t.match(await refusalOf(openSnapshot(join(folder, 'livegate.db'))), { constructor: StoreError })
  t.strictSame(readdirSync(folder), [])
  t.notOk(existsSync(file))
})

t.test('a store of an older version is refused and left as it is; so is one of a newer', async t => {
  const { store, file } = await storeWithTenants(t)
  const setVersion = (version: number) =>
    store.engine.write([
      store.sql
        .updateTable('meta')
        .set({ value: String(version) })
        .where('name', '=', 'schema_version')
        .compile()
    ])
  const versionNow = () =>
    store.engine.read(store.sql.selectFrom('meta').select('value').where('name', '=', 'schema_version').compile())

  await setVersion(schemaVersion - 1)
  t.match(await refusalOf(openSnapshot(file)), {
    constructor: StoreError,
    reason: `the store has schema version ${schemaVersion - 1}, this Livegate needs ${schemaVersion}: start \`serve\` once`
  })
  t.strictSame(await versionNow(), [{ value: String(schemaVersion - 1) }])
  await setVersion(schemaVersion + 1)
  t.match(await refusalOf(openSnapshot(file)), { constructor: StoreError, reason: /a newer Livegate has written it$/ })
  await setVersion(schemaVersion)
  const snapshot = await openSnapshot(file)
  await snapshot.close()
})

t.test('a file that is no store is refused in one sentence', async t => {
  const folder = t.testdir({
    'no.db': 'this is a text and no database, however long it may be'.repeat(50),
    'empty.db': ''
  })
  t.match(await refusalOf(openSnapshot(join(folder, 'no.db'))), { constructor: StoreError, reason: /not a database/ })
  t.match(await refusalOf(openSnapshot(join(folder, 'empty.db'))), { constructor: StoreError, reason: /no such table/ })
  t.equal(readFileSync(join(folder, 'empty.db'), 'utf8'), '')
})
