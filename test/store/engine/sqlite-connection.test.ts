import { join } from 'node:path'
import t from 'tap'
import { Conflict, Expired, StoreError, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { SqliteConnection } from '../../../src/store/engine/sqlite-connection.ts'
import { type Query, type Transaction, toStoreError } from '../../../src/store/engine/transaction.ts'

const query = (sql: string): Query => ({ sql, parameters: [] })
const together = (...statements: string[]): Transaction => ({ statements: statements.map(query) })

t.test('one connection', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const connection = new SqliteConnection({ file, readonly: false })
  t.teardown(() => connection.close())
  const write = (transaction: Transaction) => connection.write([transaction])[0]
  write(together('create table parent (id int primary key)', 'create table child (id int references parent)'))
  t.beforeEach(() => void write(together('delete from child', 'delete from parent')))
  const ids = () => connection.read(query('select id from parent order by id'))

  t.test('a commit is on the disk before anybody hears of it', async t => {
    t.match(connection.read(query('pragma journal_mode')), { rows: [[{ journal_mode: 'wal' }]] })
    t.match(connection.read(query('pragma synchronous')), { rows: [[{ synchronous: 2 }]] })
  })

  t.test('a look-up gives rows, and neither writes nor throws', async t => {
    t.strictSame(connection.lookUp(query('select 1 as one')), { rows: [[{ one: 1 }]] })
    for (const sql of ['insert into parent values (1)', 'drop table parent', 'begin immediate'])
      t.strictSame(connection.lookUp(query(sql)), { error: { kind: 'failed', message: 'a read is readonly' } }, sql)
    t.match(connection.lookUp(query('select 1 from nowhere')), { error: { kind: 'failed', message: /no such table/ } })
    t.strictSame(ids(), { rows: [[]] })
  })

  t.test('a row that points to nothing is refused', async t => {
    t.match(write(together('insert into child values (7)')), { error: { kind: 'failed', message: /FOREIGNKEY/ } })
  })

  t.test('a transaction that would commit too late is undone', async t => {
    const times = [1_000, 1_001]
    const late = { ...together('insert into parent values (1)'), expiresAtMs: 1_000 }
    t.match(
      connection.write([late], () => times.shift() ?? 1_001),
      [{ error: { kind: 'expired' } }]
    )
    t.strictSame(times, [], 'the clock was read before the transaction began and before it was committed')
    t.strictSame(ids(), { rows: [[]] })
    t.strictSame(
      connection.write([late], () => 1_000),
      [{ rows: [[]] }],
      'at the last moment it is written'
    )
    t.strictSame(ids(), { rows: [[{ id: 1 }]] })
  })

  t.test('a write fails after half a second when another process holds the store, and writes nothing', async t => {
    const other = new SqliteConnection({ file, readonly: false })
    t.teardown(() => other.close())
    other.read(query('begin immediate'))
    t.match(write(together('insert into parent values (1)')), { error: { kind: 'failed', message: /SQLITE_BUSY/ } })
    t.match(connection.read(query('pragma busy_timeout')), { rows: [[{ timeout: 500 }]] })
    other.read(query('rollback'))
    t.strictSame(write(together('insert into parent values (2)')), { rows: [[]] })
    t.strictSame(ids(), { rows: [[{ id: 2 }]] })
  })

  t.test('more different statements than are kept prepared still work', async t => {
    const answers = Array.from({ length: 1_100 }, (_, i) => connection.read(query(`select ${i % 550} as n`)))
    t.strictSame(
      answers,
      answers.map((_, i) => ({ rows: [[{ n: i % 550 }]] }))
    )
  })

  t.test('a mistake crosses the border of the thread by name, with the reason', async t => {
    write(together('insert into parent values (1)'))
    t.match(write(together('insert into parent values (1)')), { error: { kind: 'unique' } })
    t.match(write({ statements: [{ ...query('delete from parent'), changes: 5 }] }), {
      error: { kind: 'conflict', message: '1 rows changed, not 5' }
    })
    t.match(write(together('selct')), { error: { kind: 'failed', message: /syntax error/ } })
    t.match(connection.read(query('selct')), { error: { kind: 'failed', message: /syntax error/ } })
    t.match(connection.read({ sql: 'select ?', parameters: [{}] }), { error: { kind: 'failed' } })
  })

  t.test('the hash of a text is that of its bytes in UTF-8, and the search in any case knows every letter', async t => {
    const { rows } = connection.read({
      sql: 'select sha256_hex(?) as hash, in_capitals(?) as text',
      parameters: ['é', 'é']
    }) as {
      rows: unknown[][]
    }
    // `printf é | sha256sum`
    const hash = '4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c'
    t.strictSame(rows, [[{ hash, text: 'É' }]])
  })
})

t.test('back in the main thread each name becomes its class', async t => {
  const classes = { unique: UniqueViolation, conflict: Conflict, expired: Expired, failed: StoreError }
  for (const [kind, Class] of Object.entries(classes) as [keyof typeof classes, typeof StoreError][]) {
    const error = toStoreError({ kind, message: 'why' })
    t.equal(error.constructor, Class)
    t.equal(error.reason, 'why')
  }
})
