import { statSync } from 'node:fs'
import { join } from 'node:path'
import { sql as raw } from 'kysely'
import t from 'tap'
import { Conflict, type Engine, Expired, StoreError, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { openSqlite } from '../../../src/store/engine/sqlite.ts'
import { SqliteConnection } from '../../../src/store/engine/sqlite-connection.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'
import { steps } from '../../support/clock.ts'
import { commitsIn, refusalOf } from '../../support/store/helper.ts'

const sql = sqlFor('sqlite')
const put = (name: string, value = '') => sql.insertInto('meta').values({ name, value }).compile()

async function names(engine: Engine): Promise<string[]> {
  return (await engine.read(sql.selectFrom('meta').select('name').orderBy('name').compile())).map(({ name }) => name)
}

t.test('the engine in its two threads', async t => {
  const file = join(t.testdir(), 'new', 'folder', 'livegate.db')
  const shared = await openSqlite(file)
  const engine = shared
  t.teardown(() => shared.close())
  await engine.write([raw`create table meta (name text primary key, value text not null)`.compile(sql)])
  t.beforeEach(async () => {
    await engine.write([sql.deleteFrom('meta').compile()])
  })

  t.test('nobody else on the machine can read the file, its log or its folder', async t => {
    await engine.write([put('one')])
    const mode = (path: string) => statSync(path).mode & 0o777
    t.equal(mode(file), 0o600)
    t.equal(mode(`${file}-wal`), 0o600)
    t.equal(mode(join(file, '..')), 0o700)
  })

  t.test('a row that was written is read at once, and each statement gives the rows that it returned', async t => {
    const returning = sql.insertInto('meta').values({ name: 'b', value: '2' }).returning('name').compile()
    t.strictSame(await engine.write([put('a'), returning]), [[], [{ name: 'b' }]])
    t.strictSame(await names(engine), ['a', 'b'])
    t.strictSame(await engine.write([]), [])
  })

  t.test('a transaction is all or nothing: a statement that fails undoes those before it', async t => {
    const broken = raw`insert into no_such_table values (1)`.compile(sql)
    t.match(await refusalOf(engine.write([put('a'), put('b'), broken])), { constructor: StoreError })
    t.match(await refusalOf(engine.write([put('a'), put('b'), put('a')])), { constructor: UniqueViolation })
    t.match(await refusalOf(engine.write([put('a'), { ...put('b'), changes: 2 }])), { constructor: Conflict })
    t.strictSame(await names(engine), [])
    await engine.write([put('a')])
    t.strictSame(await names(engine), ['a'], 'and the next one works')
  })

  t.test('a clock that is set makes nothing late, and nothing later', async t => {
    const { now } = Date
    t.teardown(() => {
      Date.now = now
    })
    for (const stepMs of steps) {
      // The thread's own clock is not set: the two differ, as they do when it is set between their two looks.
      Date.now = () => now() + stepMs
      await engine.write([put(`${stepMs}`)], { withinMs: 1_000 })
      t.match(await refusalOf(engine.write([put('late')], { withinMs: -1 })), { constructor: Expired })
    }
    Date.now = now
    t.equal((await names(engine)).length, steps.length)
  })

  t.test('a statement that changes another number of rows than expected is a conflict', async t => {
    await engine.write([put('a'), put('b')])
    const update = (name: string) => sql.updateTable('meta').set({ value: 'x' }).where('name', '=', name)
    t.match(await refusalOf(engine.write([{ ...update('missing').compile(), changes: 1 }])), { constructor: Conflict })
    t.match(await refusalOf(engine.write([{ ...update('missing').returning('name').compile(), changes: 1 }])), {
      constructor: Conflict,
      reason: '0 rows changed, not 1'
    })
    await engine.write([{ ...update('a').compile(), changes: 1 }])
    await engine.write([{ ...update('a').returning('name').compile(), changes: 1 }])
    t.strictSame(await names(engine), ['a', 'b'])
  })

  t.test('a row that comes after its expiry is not written', async t => {
    t.match(await refusalOf(engine.write([put('late')], { withinMs: -1 })), { constructor: Expired })
    await engine.write([put('early')], { withinMs: 60_000 })
    t.strictSame(await names(engine), ['early'])
  })

  t.test('a read cannot write, whichever thread does it', async t => {
    const alone = await openSqlite(join(t.testdir(), 'livegate.db'))
    t.teardown(() => alone.close())
    const make = raw`create table meta (name text primary key)`.compile(sql)
    t.match(await refusalOf(alone.read(make)), { constructor: StoreError, reason: 'a read is readonly' })
    t.match(await refusalOf(engine.read(put('through the back door'))), {
      constructor: StoreError,
      reason: /readonly/i
    })
    t.match(await refusalOf(engine.read(raw`drop table meta`.compile(sql))), { constructor: StoreError })
    t.strictSame(await names(engine), [])
  })

  t.test('many calls at once have each their own answer', async t => {
    const values = Array.from({ length: 200 }, (_, i) => String(i))
    await Promise.all(values.map(value => engine.write([put(value.padStart(3, '0'), value)])))
    const found = await Promise.all(
      values.map(value => engine.read(sql.selectFrom('meta').select('value').where('value', '=', value).compile()))
    )
    t.strictSame(
      found.map(([row]) => row?.value),
      values
    )
  })

  t.test('64 writers at once share commits, and none is told before his is on the disk', async t => {
    const before = commitsIn(file)
    const beside = new SqliteConnection({ file, readonly: true })
    t.teardown(() => beside.close())
    const seen = (name: string) =>
      beside.read({ sql: 'select 1 as there from meta where name = ?', parameters: [name] })
    const told: unknown[] = []
    const writers = Array.from({ length: 64 }, async (_, i) => {
      for (let turn = 0; turn < 8; turn++) {
        await engine.write([put(`${i}-${turn}`)])
        told.push(seen(`${i}-${turn}`))
      }
    })
    await Promise.all(writers)
    t.equal(told.filter(answer => JSON.stringify(answer) === '{"rows":[[{"there":1}]]}').length, 512)
    const commits = commitsIn(file) - before
    t.ok(commits >= 8 && commits <= 64, `${commits} commits`)
  })

  t.test(
    'a closed engine finishes what it was given, also what waits for its group, and refuses what comes later',
    async t => {
      const engine = await openSqlite(file)
      let started = 0
      const count = () => {
        started++
      }
      process.on('worker', count)
      t.teardown(() => process.off('worker', count))
      const given = Array.from({ length: 600 }, (_, i) => engine.write([put(`given ${i}`)]))
      await engine.close()
      await Promise.all(given)
      t.match(await refusalOf(engine.write([put('later')])), { constructor: StoreError, reason: 'the store is closed' })
      t.match(await refusalOf(engine.read(sql.selectFrom('meta').selectAll().compile())), {
        constructor: StoreError,
        reason: 'the store is closed'
      })
      await engine.close()
      t.equal(started, 0, 'no thread is started that nobody would end')
      t.equal((await names(shared)).length, 600)
    }
  )
})
