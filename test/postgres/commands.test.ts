import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { openAtHome } from '../../src/store/homes.ts'
import { takeServeLock } from '../../src/store/served/serve-lock.ts'
import type { Store } from '../../src/store/store.ts'
import { auditEventsIn } from '../../src/store/tables/audit/audit-events.ts'
import { meetingsIn } from '../../src/store/tables/meetings.ts'
import { commandLine } from '../support/cli.ts'
import { environmentOf } from '../support/config.ts'
import { gateway } from '../support/gateway.ts'
import { inMemory } from '../support/in-memory.ts'
import { liveShows, running } from '../support/orders/live-shows.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { databaseOf, newDatabase, sharedPostgres, usePostgres } from '../support/postgres/stores.ts'
import { openFileHere } from '../support/store.ts'

/** A command line whose store is an empty database, and whose keys are in a folder of the test's. */
async function onPostgres(t: Test) {
  const home = await newDatabase({ isEmpty: true })
  const dataDir = join(inMemory(t).testdir(), 'data')
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const url = `postgres://livegate@127.0.0.1:${home.port}/${home.database}`
  const cli = commandLine(t, { DATABASE_URL: url, LIVEGATE_DATA_DIR: dataDir, ...environmentOf(simulator) })
  const ready = async () => {
    await cli.json('audit', 'init-keys', dataDir)
    await cli.json('tenant', 'create', 'acme')
    const store = await openAtHome(home, { busyTimeoutMs: 0 })
    t.teardown(() => store.close())
    return store
  }
  return { ...cli, home, url: `postgres://127.0.0.1:${home.port}/${home.database}`, dataDir, simulator, ready }
}

async function eventsOf(store: Store) {
  const events = []
  for await (const some of auditEventsIn(store).walk()) events.push(...some)
  return events
}

if (postgresBin === null) t.test('commands on PostgreSQL', { skip: noPostgres }, t => t.end())
else {
  usePostgres()

  t.test('keys are made once, by a command of their own, and nothing works without them', async t => {
    const { run, json, dataDir, url } = await onPostgres(t)
    const missing = `livegate: ${dataDir}/audit-signing.key is missing: \`livegate audit init-keys <folder>\` makes the keys of a store, once\n`
    t.match(await run('tenant', 'list'), { code: 1, stderr: `livegate: there is no store at ${url}: ` })
    t.match(await run('tenant', 'create', 'acme'), { code: 1, stderr: missing })
    t.match(await run('serve'), { code: 1, stderr: missing }, 'also on a database that is empty')
    t.match(await run('doctor'), { stdout: /^FAIL {2}audit keys of .*audit-signing.key is missing/m })
    const made = await json('audit', 'init-keys', dataDir)
    t.match(made, { folder: dataDir, public_key: /^livegate/ })
    t.match(await run('audit', 'init-keys', dataDir), { code: 1, stderr: /is there already: nothing was made/ })
    await json('tenant', 'create', 'acme')
    t.match(await run('doctor'), { stdout: /^ok {4}store of postgres:\S+: can be read; 1 tenant\n^ok {4}audit keys/m })
  })

  t.test('`store copy` moves a file with its whole log into an empty database, or nothing of it', async t => {
    const { run, json, dataDir, home } = await onPostgres(t)
    const file = commandLine(t, { LIVEGATE_DATA_DIR: dataDir })
    await file.json('tenant', 'create', 'acme', '--name', 'Acme 🎥')
    await file.json('key', 'create', 'acme', '--preset', 'owner')
    await file.json('meeting', 'assign', 'acme', 'Show_1')
    const source = await openFileHere(file.storeFile)
    t.teardown(() => source.close())
    const title = { title: 'nul \0 here', snapshot: '{"id":"Show_1"}' }
    await source.engine.write([source.sql.updateTable('meetings').set(title).compile()])
    const before = await eventsOf(source)

    const lock = await takeServeLock(file.storeFile, 0)
    t.match(await run('store', 'copy', file.storeFile), { code: 1, stderr: /another gateway serves .*livegate.db/ })
    lock.release()
    t.match(await file.run('store', 'copy', file.storeFile), { code: 1, stderr: /DATABASE_URL must name the database/ })
    t.match(await run('store', 'copy', `${file.storeFile}.none`), { code: 1, stderr: /there is no store at/ })
    const copied = await json('store', 'copy', `sqlite:${file.storeFile}`)
    t.match(copied, { store: /^postgres:/, event: before.length + 1 })

    const store = await openAtHome(home, { busyTimeoutMs: 0 })
    t.teardown(() => store.close())
    const after = await eventsOf(store)
    t.strictSame(after.slice(0, -1), before, 'link by link')
    t.match(JSON.parse(after.at(-1)?.event ?? ''), { api: { operation: 'copyStore' } })
    t.match(await json('audit', 'verify'), { verified: true })
    t.match(await json('tenant', 'list'), [{ id: 'acme', name: 'Acme 🎥' }])
    const { rows } = await meetingsIn(store).list('acme', { pageNo: 1, perPage: 10, search: 'NUL' })
    t.match(rows, [{ id: 'Show_1' }])
    for (const table of ['api_keys', 'audit_checkpoints', 'livestreams', 'operations', 'meta'] as const) {
      const count = async (one: Store) =>
        (await one.engine.read(one.sql.selectFrom(table).selectAll().compile())).length
      // The checkpoint of the event that records the copy.
      t.equal(await count(store), (await count(source)) + (table === 'audit_checkpoints' ? 1 : 0), table)
    }
    t.match(await run('store', 'copy', file.storeFile), { code: 1, stderr: /tenants or events: nothing was copied/ })
    t.match(
      await file.run('tenant', 'create', 'x'),
      { code: 1, stderr: /the store is older than/ },
      'the file is left behind'
    )
  })

  t.test('a store with a trigger, a rule or a view is not served, and is left as it was', async t => {
    const { run, ready, home } = await onPostgres(t)
    await ready()
    const server = await sharedPostgres()
    const foreign = {
      view: ['create view seen as select 1 as one', 'drop view seen'],
      rule: ['create rule quiet as on delete to tenants do instead nothing', 'drop rule quiet on tenants']
    }
    for (const [kind, [make = '', remove = '']] of Object.entries(foreign)) {
      await server.run(home.database, make)
      t.match(await run('serve'), {
        code: 1,
        stderr: new RegExp(`the store has a ${kind} \\w+, which Livegate has not made`)
      })
      t.match(await run('doctor'), { stdout: new RegExp(`has a ${kind}`) })
      await server.run(home.database, remove)
    }
    t.match(await run('doctor'), { stdout: /can be read; 1 tenant/ })
  })

  t.test('commands read and change a store, prove its log, and say what copies it', async t => {
    const { run, json, ready, dataDir } = await onPostgres(t)
    await ready()
    await json('key', 'create', 'acme', '--preset', 'owner')
    t.match(await json('tenant', 'list'), [{ id: 'acme' }])
    t.match(await json('key', 'list', 'acme'), [{ tenant_id: 'acme' }])
    t.match(await json('audit', 'verify'), { verified: true })
    t.match(await run('audit', 'rotate-key'), { code: 0 })
    t.match(await run('audit', 'verify'), { code: 0 })
    t.match(await run('backup', join(dataDir, 'copy')), { code: 1, stderr: /is no file: pg_dump copies it, .*PITR/ })
    t.match(await run('restore', join(dataDir, 'copy')), { code: 1, stderr: /is no file: pg_restore/ })
    t.match(await run('tenant', 'create', 'acme'), { code: 1, stderr: /acme/ })
  })

  t.test('`livestream stop` stops a meeting itself while no gateway runs', async t => {
    const { json, ready, simulator } = await onPostgres(t)
    const store = await ready()
    const [meeting = ''] = await liveShows(store, simulator, 'acme', 1)
    t.match(await json('livestream', 'stop', meeting), { stop_order: { is_ended: true, stopped: 1 } })
    t.strictSame(running(simulator), [])
  })

  t.test('a command beside a gateway acts on it, and one that needs it stopped does not go on', async t => {
    const world = await gateway(t)
    const { storeFile, store, simulator, directory } = world
    const { port, database } = await databaseOf(storeFile)
    const url = `postgres://livegate@127.0.0.1:${port}/${database}`
    const env = {
      DATABASE_URL: url,
      LIVEGATE_DATA_DIR: dirname(storeFile),
      LIVEGATE_SHUTDOWN_MS: '100',
      ...environmentOf(simulator)
    }
    const { run, json } = commandLine(t, env)
    const { key } = await json('key', 'create', 'acme', '--preset', 'owner')
    await directory.pull()
    t.equal((await world.as(`Bearer ${key}`)('GET', '/v2/meetings')).statusCode, 200)
    await liveShows(store, simulator, 'acme', 2)
    t.match(await json('livestream', 'stop', '--all'), { stop_order: { is_ended: true, stopped: 2 } })
    const served = /another gateway serves postgres:\S+: one store, one gateway; this needs a stopped one/
    t.match(await run('audit', 'rotate-key', '--lost'), { code: 1, stderr: served })
    t.match(await run('serve'), { code: 1, stderr: /another gateway serves postgres:/ })
    t.match(await json('audit', 'verify'), { verified: true })
  })
}
