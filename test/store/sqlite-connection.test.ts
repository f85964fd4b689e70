import { join } from 'node:path'
import t from 'tap'
import { Conflict, Expired, StoreError, UniqueViolation } from '../../src/store/engine.ts'
import { type Job, SqliteConnection, toStoreError } from '../../src/store/sqlite-connection.ts'

const job = (...statements: string[]): Job => ({
  statements: statements.map(sql => ({ sql, parameters: [] })),
  transaction: true
})

t.test('one connection', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const connection = new SqliteConnection({ file, readonly: false })
  t.teardown(() => connection.close())
  connection.run(job('create table parent (id int primary key)', 'create table child (id int references parent)'))
  t.beforeEach(() => void connection.run(job('delete from child', 'delete from parent')))
  const ids = () => connection.run({ ...job('select id from parent order by id'), transaction: false })

  t.test('a commit is on the disk before anybody hears of it', async t => {
    t.match(connection.run(job('pragma journal_mode')), { error: undefined, rows: [[{ journal_mode: 'wal' }]] })
    t.match(connection.run({ ...job('pragma synchronous'), transaction: false }), { rows: [[{ synchronous: 2 }]] })
  })

  t.test('a row that points to nothing is refused', async t => {
    t.match(connection.run(job('insert into child values (7)')), { error: { kind: 'failed', message: /FOREIGNKEY/ } })
  })

  t.test('a transaction that would commit too late is undone', async t => {
    const times = [1_000, 1_001]
    const late = { ...job('insert into parent values (1)'), expiresAtMs: 1_000 }
    t.match(
      connection.run(late, () => times.shift() ?? 0),
      { error: { kind: 'expired' } }
    )
    t.strictSame(times, [], 'the clock was read before the transaction began and before it was committed')
    t.strictSame(ids(), { rows: [[]] })
    t.strictSame(
      connection.run(late, () => 1_000),
      { rows: [[]] },
      'at the last moment it is written'
    )
    t.strictSame(ids(), { rows: [[{ id: 1 }]] })
  })

  t.test(
    'when another process holds the store, the caller hears so after half a second and nothing is written',
    async t => {
      const other = new SqliteConnection({ file, readonly: false })
      t.teardown(() => other.close())
      other.run({ ...job('begin immediate'), transaction: false })
      t.match(connection.run(job('insert into parent values (1)')), {
        error: { kind: 'failed', message: /SQLITE_BUSY/ }
      })
      t.match(connection.run({ ...job('pragma busy_timeout'), transaction: false }), { rows: [[{ timeout: 500 }]] })
      other.run({ ...job('rollback'), transaction: false })
      t.strictSame(connection.run(job('insert into parent values (2)')), { rows: [[]] })
      t.strictSame(ids(), { rows: [[{ id: 2 }]] })
    }
  )

  t.test('more different statements than are kept prepared still work', async t => {
    const answers = Array.from({ length: 1_100 }, (_, i) => {
      const { statements } = job(`select ${i % 550} as n`)
      return connection.run({ statements, transaction: false })
    })
    t.strictSame(
      answers,
      answers.map((_, i) => ({ rows: [[{ n: i % 550 }]] }))
    )
  })

  t.test('what is wrong crosses the border of the thread by name, with the reason', async t => {
    connection.run(job('insert into parent values (1)'))
    const twice = connection.run(job('insert into parent values (1)'))
    const conflict = connection.run({
      transaction: true,
      statements: [{ sql: 'delete from parent', parameters: [], changes: 5 }]
    })
    t.match(twice, { error: { kind: 'unique' } })
    t.match(conflict, { error: { kind: 'conflict', message: '1 rows changed, not 5' } })
    t.match(connection.run(job('selct')), { error: { kind: 'failed', message: /syntax error/ } })
    t.match(connection.run({ transaction: false, statements: [{ sql: 'select ?', parameters: [{}] }] }), {
      error: { kind: 'failed' }
    })
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
