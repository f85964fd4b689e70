import { setTimeout as sleep } from 'node:timers/promises'
import { sql as raw } from 'kysely'
import { Client, type ClientConfig } from 'pg'
import t, { type Test } from 'tap'
import type { PostgresHome } from '../../src/domain/store-home.ts'
import {
  Conflict,
  type Engine,
  Expired,
  StoreError,
  StoreMoved,
  UniqueViolation
} from '../../src/store/engine/engine.ts'
import { openPostgres, openPostgresSnapshot, type PostgresWaits } from '../../src/store/postgres/postgres.ts'
import { sqlFor } from '../../src/store/schema/database.ts'
import { migrate } from '../../src/store/schema/migrations.ts'
import { noPostgres, postgresBin, startPostgres, startStandby } from '../support/postgres/server.ts'
import { newDatabase, sharedPostgres } from '../support/postgres/stores.ts'
import fc from '../support/runner/properties.ts'
import { refusalOf } from '../support/store/helper.ts'
import { until } from '../support/until.ts'
import { makeCertificate } from '../support/upstream/certificates.ts'
import { wayTo } from '../support/way.ts'

const sql = sqlFor('postgres')
const put = (name: string, value = '') => sql.insertInto('meta').values({ name, value }).compile()
const change = (name: string) => ({
  ...sql.updateTable('meta').set({ value: 'x' }).where('name', '=', name).compile(),
  changes: 1
})
const own = /^[a-z]\d*$/

async function names(engine: Pick<Engine, 'read'>): Promise<string[]> {
  const rows = await engine.read(sql.selectFrom('meta').select('name').orderBy('name').compile())
  return rows.map(({ name }) => name).filter(name => own.test(name))
}

async function engineOn(t: Test, home?: PostgresHome, waits?: PostgresWaits) {
  const there = home ?? (await newDatabase())
  const engine = await openPostgres(there, waits)
  t.teardown(() => engine.close())
  return { home: there, engine }
}

/** An engine whose way to the server can be broken, and one beside it whose way cannot. */
async function broken(t: Test, waits: PostgresWaits = {}) {
  const { port } = await sharedPostgres()
  const way = await wayTo(port)
  t.teardown(() => way.close())
  const home = await newDatabase()
  const { engine } = await engineOn(t, { ...home, port: way.port }, waits)
  const beside = await engineOn(t, home)
  await engine.serve()
  await engine.write([put('before')])
  return { way, engine, names: () => names(beside.engine), beside: beside.engine }
}

if (postgresBin === null) t.test('the engine on PostgreSQL', { skip: noPostgres }, t => t.end())
else {
  t.test('a transaction is all or nothing, and each of a group stands for itself', async t => {
    const { engine } = await engineOn(t)
    const returning = sql.insertInto('meta').values({ name: 'b', value: '2' }).returning('name').compile()
    t.strictSame(await engine.write([put('a'), returning]), [[], [{ name: 'b' }]])
    t.strictSame(await engine.write([]), [])
    t.match(await refusalOf(engine.write([put('c'), put('a')])), { constructor: UniqueViolation, reason: /meta_pkey/ })
    t.match(await refusalOf(engine.write([put('c'), change('no')])), {
      constructor: Conflict,
      reason: '0 rows changed, not 1'
    })
    const none = { ...sql.selectFrom('meta').select('name').where('name', '=', 'no').compile(), changes: 1 }
    t.match(await refusalOf(engine.write([put('c'), none])), { constructor: Conflict })
    t.match(await refusalOf(engine.write([put('c'), raw`insert into no_such_table values (1)`.compile(sql)])), {
      constructor: StoreError,
      reason: /42P01/
    })
    t.strictSame(await names(engine), ['a', 'b'])
    const group = [
      engine.write([put('c'), put('a')]),
      engine.write([put('d'), change('d')]),
      engine.write([change('no')]),
      engine.write([put('e\0f')])
    ]
    t.match(
      await Promise.all(group.map(refusalOf)),
      [UniqueViolation, 'accepted', Conflict, 'accepted'].map(one => (one === 'accepted' ? one : { constructor: one }))
    )
    t.strictSame(await names(engine), ['a', 'b', 'd'])
  })

  t.test('a group of any transactions comes to what they come to one by one', async t => {
    const { engine } = await engineOn(t)
    const { engine: single } = await engineOn(t)
    const statement = fc.oneof(
      fc.constantFrom('a1', 'b2', 'c3').map(name => put(name)),
      fc.constantFrom('a1', 'b2', 'c3').map(change),
      fc
        .constantFrom('a1', 'b2', 'c3')
        .map(name => sql.deleteFrom('meta').where('name', '=', name).returning('name').compile())
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(statement, { maxLength: 4 }), { minLength: 2, maxLength: 12 }),
        async group => {
          const kind = (error: unknown) => (error as Error).constructor.name
          const together = await Promise.all(group.map(one => engine.write([...one]).catch(kind)))
          const apart: unknown[] = []
          for (const one of group) apart.push(await single.write([...one]).catch(kind))
          t.strictSame(together, apart)
          t.strictSame(await names(engine), await names(single))
        }
      ),
      { numRuns: 30 }
    )
  })

  t.test(
    'a transaction that comes too late by the clock of the server is not written, and takes nothing with it',
    async t => {
      const { home, engine } = await engineOn(t)
      const other = await engineOn(t, home)
      await engine.write([put('a')])
      t.match(await refusalOf(engine.write([put('b')], { withinMs: -1 })), { constructor: Expired })
      const busy = other.engine.write([raw`select pg_sleep(0.4)`.compile(sql)])
      await sleep(100)
      const late = refusalOf(engine.write([put('late')], { withinMs: 100 }))
      const [patient, also] = [engine.write([put('c')]), engine.write([put('d')], { withinMs: 10_000 })]
      t.match(await late, { constructor: Expired }, 'it had its turn behind the other process alone')
      await Promise.all([busy, patient, also])
      t.strictSame(await names(engine), ['a', 'c', 'd'])
    }
  )

  t.test('a commit whose answer was lost is looked up, and stands once', async t => {
    const { way, engine, names } = await broken(t)
    // From now on each group has savepoints.
    await Promise.all([change('no'), change('no')].map(one => refusalOf(engine.write([one]))))
    way.hold('back')
    const written = [engine.write([put('a')]), engine.write([put('a')]), engine.write([put('b')])]
    await until(async () => (await names()).includes('b'))
    way.cut()
    const [first, second, third] = await Promise.all(written.map(refusalOf))
    t.strictSame([first, third], ['accepted', 'accepted'])
    t.match(second, { constructor: StoreError })
    t.strictSame(await names(), ['a', 'b'])
    await engine.write([put('c')])
    way.hold('back')
    const more = [engine.write([put('d')]), engine.write([put('e')])]
    await until(async () => (await names()).includes('e'))
    way.cut()
    t.strictSame(await Promise.all(more.map(refusalOf)), ['accepted', 'accepted'])
    t.strictSame(await names(), ['a', 'b', 'c', 'd', 'e'], 'and its writer goes on')
  })

  t.test('a commit that never arrived is called off, also when it arrives later', async t => {
    const { way, engine, names } = await broken(t, { answerWithinMs: 300 })
    way.hold('there')
    const written = engine.write([put('a')])
    t.match(await refusalOf(written), { constructor: StoreError, reason: /nothing was written/ })
    way.letOn()
    await engine.write([put('b')])
    await sleep(300)
    t.strictSame(await names(), ['b'])
  })

  t.test('while the server is away a look-up waits, until the store is closed', async t => {
    const { way, engine, names } = await broken(t, { answerWithinMs: 800 })
    way.hold('back')
    const written = engine.write([put('a')])
    await until(async () => (await names()).includes('a'))
    await way.close()
    const state = await Promise.race([written, sleep(600).then(() => 'waits')])
    t.equal(state, 'waits', 'nobody can say yet')
    await engine.close()
    t.match(await refusalOf(written), { constructor: StoreError, reason: /before a commit was looked up/ })
    await engine.close()
  })

  t.test('a database that has lost a commit that it had acknowledged is written to no more', async t => {
    const { engine, beside } = await broken(t)
    await beside.write([raw`update livegate_writers set commits = commits - 1 where commits > 0`.compile(sql)])
    t.match(await refusalOf(engine.write([put('a')])), { constructor: StoreMoved, reason: /has lost commits/ })
    t.match(await refusalOf(engine.check()), { constructor: StoreMoved })
    t.ok((engine as unknown as { moved(): boolean }).moved())
    t.strictSame(await names(engine), [], 'and reads go on')
  })

  t.test('a snapshot shows one moment, and changes nothing', async t => {
    const { home, engine } = await engineOn(t)
    await engine.write([put('a')])
    const snapshot = await openPostgresSnapshot(home)
    t.teardown(() => snapshot.close())
    t.strictSame(await names(snapshot), ['a'])
    await engine.write([put('b')])
    t.strictSame(await names(snapshot), ['a'])
    t.match(await refusalOf(snapshot.write([put('c')])), { constructor: StoreError, reason: /25006/ })
  })

  t.test('processes that open a new database at once all find it ready', async t => {
    const home = await newDatabase({ isEmpty: true })
    const engines = await Promise.all([1, 2, 3].map(async () => (await engineOn(t, home)).engine))
    await Promise.all(engines.map(engine => migrate(engine, sql)))
    await Promise.all(engines.map((engine, i) => engine.write([put(`a${i}`)])))
    t.strictSame(await names(engines[0] as Engine), ['a0', 'a1', 'a2'])
  })

  t.test('a server that is not there, or cannot have a store, is named without a password', async t => {
    const home = await newDatabase()
    t.match(await refusalOf(openPostgres({ ...home, port: 1 })), {
      constructor: StoreError,
      reason: /cannot be reached: .*ECONNREFUSED/
    })
    t.match(await refusalOf(openPostgres({ ...home, database: 'missing' })), {
      constructor: StoreError,
      reason: /3D000/
    })
    t.match(await refusalOf(openPostgresSnapshot({ ...home, database: 'missing' })), {
      constructor: StoreError,
      reason: /3D000/
    })
    const latin = 'latin'
    await (await sharedPostgres()).run('postgres', `create database ${latin} template template0 encoding 'LATIN1'`)
    t.match(await refusalOf(openPostgres({ ...home, database: latin })), {
      constructor: StoreError,
      reason: /has the encoding LATIN1/
    })
  })

  t.test('a user who may make nothing is told so, and nothing of it is left', async t => {
    const home = await newDatabase({ isEmpty: true })
    const server = await sharedPostgres()
    await server.run('postgres', 'drop role if exists guest', 'create role guest login')
    const refusal = await refusalOf(openPostgres({ ...home, user: 'guest' }))
    t.match(refusal, { constructor: StoreError, reason: /42501: permission denied/ })
  })

  t.test('a writer whose row is gone when its commit is looked up writes no more', async t => {
    const { way, engine, beside } = await broken(t)
    way.hold('there')
    const written = engine.write([put('a')])
    await sleep(50)
    await beside.write([raw`delete from livegate_writers where commits > 0 and id <> ${beside.writerId}`.compile(sql)])
    way.cut()
    t.match(await refusalOf(written), { constructor: StoreMoved, reason: /has lost commits/ })
    t.match(await refusalOf(engine.write([put('b')])), { reason: /has lost commits/ })
  })

  t.test('the server has to prove who it is, and for which name, before anything is sent', async t => {
    const authority = makeCertificate({ name: 'authority' })
    const own = makeCertificate({ name: 'server', issuer: authority, address: '127.0.0.1' })
    const elsewhere = makeCertificate({ name: 'server', issuer: authority, host: 'db.example' })
    const server = await sharedPostgres()
    const home = await newDatabase()
    const shown = async (certificate: { cert: string; key: string }) => {
      const [cert, key] = [server.own('cert.pem', certificate.cert), server.own('key.pem', certificate.key)]
      const settings = { ssl_cert_file: cert, ssl_key_file: key, ssl: 'on' }
      for (const [name, value] of Object.entries(settings))
        await server.run('postgres', `alter system set ${name} = '${value}'`)
      await server.run('postgres', 'select pg_reload_conf()')
      await sleep(200)
    }
    const over = (ca: string | null, checksName = true) => openPostgres({ ...home, tls: { ca, checksName } })
    t.match(await refusalOf(over(authority.cert)), { reason: /does not support SSL/ }, 'no way is taken without it')
    await shown(own)
    await (await over(authority.cert)).close()
    t.match(await refusalOf(over(null)), { reason: /certificate/ })
    t.match(await refusalOf(over(makeCertificate({ name: 'authority' }).cert)), { reason: /certificate/ })
    await shown(elsewhere)
    t.match(await refusalOf(over(authority.cert)), { reason: /altnames/ })
    await (await over(authority.cert, false)).close()
  })

  t.test('a standby is not written to; after its promotion the primary of before is not either', async t => {
    const primary = await startPostgres()
    await primary.run('postgres', 'create database store')
    const way = await wayTo(primary.port)
    t.teardown(() => way.close())
    const home = { ...primary.home('store'), port: way.port }
    const { engine } = await engineOn(t, home)
    await migrate(engine, sql)
    await engine.serve()
    await engine.write([put('a')])

    const standby = await startStandby(primary)
    t.match(await refusalOf(openPostgres(standby.home('store'))), { constructor: StoreMoved, reason: /is a standby/ })
    await until(async () => {
      const snapshot = await new Client({ ...standby.home('store'), password: undefined } as ClientConfig).connect()
      const { rows } = await snapshot.query("select 1 from meta where name = 'a'")
      await snapshot.end()
      return rows.length === 1
    })
    await standby.promote()
    way.leadTo(standby.port)
    way.cut()
    await until(async () => (await refusalOf(engine.check())) === 'accepted')
    await engine.write([put('b')])
    t.strictSame(await names(engine), ['a', 'b'], 'it goes on there')

    way.leadTo(primary.port)
    way.cut()
    // A commit would be looked up for as long as it takes: the loss is noticed before.
    await sleep(100)
    t.match(await refusalOf(engine.write([put('c')])), { constructor: StoreMoved, reason: /a primary of before/ })
    t.match(await refusalOf(engine.check()), { constructor: StoreMoved })
    way.leadTo(standby.port)
    way.cut()
    await engine.write([put('d')])
    t.strictSame(await names(engine), ['a', 'b', 'd'])
  })
}
