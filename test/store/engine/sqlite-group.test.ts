import { join } from 'node:path'
import t from 'tap'
import { SqliteConnection } from '../../../src/store/engine/sqlite-connection.ts'
import type { JobResult, Transaction } from '../../../src/store/engine/transaction.ts'
import fc, { runs } from '../../support/runner/properties.ts'
import { commitsIn } from '../../support/store/helper.ts'

const together = (...statements: string[]): Transaction => ({
  statements: statements.map(sql => ({ sql, parameters: [] }))
})
const put = (id: number): Transaction => together(`insert into item values (${id})`)
const done: JobResult = { rows: [[]] }

/** A connection with a table of ids, each of which stands in it at most once. */
function connected(t: { teardown(fn: () => unknown): void; testdir(): string }) {
  const file = join(t.testdir(), 'livegate.db')
  const connection = new SqliteConnection({ file, readonly: false, busyTimeoutMs: 1 })
  t.teardown(() => connection.close())
  connection.write([together('create table item (id int primary key)')])
  const ids = () => {
    const result = connection.read({ sql: 'select id from item order by id', parameters: [] })
    return 'rows' in result ? result.rows[0]?.map(({ id }) => id) : result
  }
  const pages = (atMost: number) => connection.read({ sql: `pragma max_page_count = ${atMost}`, parameters: [] })
  return { connection, file, ids, pages }
}

const large = together('insert into large values (hex(zeroblob(50000)))')

t.test('a group is made durable by one commit, and an empty one by none', async t => {
  const { connection, file, ids } = connected(t)
  const before = commitsIn(file)
  t.strictSame(connection.write([put(1), put(2), put(3)]), [done, done, done])
  t.equal(commitsIn(file) - before, 1)
  t.strictSame(ids(), [1, 2, 3])
  t.strictSame(connection.write([]), [])
  t.equal(commitsIn(file) - before, 1)
})

t.test('a transaction that breaks a rule is undone alone, the others stand', async t => {
  const { connection, ids } = connected(t)
  const mismatch = { sql: 'delete from item where id = 1', parameters: [], changes: 2 }
  const results = connection.write([
    put(1),
    together('insert into item values (2)', 'insert into item values (1)'),
    { statements: [...put(3).statements, mismatch] },
    together('insert into item values (4)', 'insert into nowhere values (1)'),
    put(5)
  ])
  t.match(results, [
    done,
    { error: { kind: 'unique' } },
    { error: { kind: 'conflict', message: '1 rows changed, not 2' } },
    { error: { kind: 'failed', message: /no such table/ } },
    done
  ])
  t.strictSame(ids(), [1, 5])
})

t.test('a transaction that is too late before the group begins is left out, and the others are written', async t => {
  const { connection, ids } = connected(t)
  const results = connection.write(
    [{ ...put(1), expiresAtMs: 999 }, put(2), { ...put(3), expiresAtMs: 1_000 }],
    () => 1_000
  )
  t.match(results, [{ error: { kind: 'expired' } }, done, done])
  t.strictSame(ids(), [2, 3])
  t.match(
    connection.write([{ ...put(4), expiresAtMs: 999 }], () => 1_000),
    [{ error: { kind: 'expired' } }]
  )
  t.strictSame(ids(), [2, 3])
})

t.test(
  'a transaction that grows too late while the group runs is left out, and the others are written once',
  async t => {
    const { connection, file, ids } = connected(t)
    const before = commitsIn(file)
    let asked = 0
    // Both are in time when the group begins; the second is not when it would be committed.
    const now = () => (++asked <= 3 ? 1_000 : 2_000)
    const counting = together('insert into item select 10 + count(*) from item')
    const results = connection.write([counting, { ...put(1), expiresAtMs: 1_500 }, put(2)], now)
    t.match(results, [done, { error: { kind: 'expired' } }, done])
    t.strictSame(ids(), [2, 10], 'nothing of the first try was left')
    t.equal(commitsIn(file) - before, 1)
  }
)

t.test('a transaction that failed only because of one that came too late is written after all', async t => {
  const { connection, ids } = connected(t)
  let asked = 0
  const now = () => (++asked <= 2 ? 1_000 : 2_000)
  const late = { ...together('insert into item values (1)', 'insert into item values (7)'), expiresAtMs: 1_500 }
  t.match(connection.write([late, put(1)], now), [{ error: { kind: 'expired' } }, done])
  t.strictSame(ids(), [1])
})

t.test(
  'a transaction that grows too late while another one is taken out is told so, and not that it was written',
  async t => {
    const { connection, ids } = connected(t)
    const times = [1_000, 1_000, 1_400, 1_400, 1_600]
    const results = connection.write(
      [
        { ...put(1), expiresAtMs: 1_500 },
        { ...put(2), expiresAtMs: 1_200 }
      ],
      () => times.shift() ?? 1_600
    )
    t.match(results, [{ error: { kind: 'expired' } }, { error: { kind: 'expired' } }])
    t.strictSame(ids(), [])
  }
)

t.test('a full disk: all of the group hear of it, nothing is written, and it goes on when there is room', async t => {
  const { connection, file, ids, pages } = connected(t)
  connection.write([together('create table large (text text)')])
  const before = commitsIn(file)
  pages(3)
  const results = connection.write([put(1), large, put(2)])
  t.equal(results.length, 3)
  for (const result of results) t.match(result, { error: { kind: 'failed', message: /^SQLITE_FULL/ } })
  t.strictSame(ids(), [])
  t.equal(commitsIn(file) - before, 0)
  pages(1_000)
  t.strictSame(connection.write([put(1), large, put(2)]), [done, done, done])
  t.strictSame(ids(), [1, 2])
})

t.test('a transaction for which there is no room hears of it alone where SQLite can undo it', async t => {
  const { connection, ids, pages } = connected(t)
  pages(2)
  const results = connection.write([put(1), together('create table large (text text)'), put(2)])
  t.match(results, [done, { error: { kind: 'failed', message: /^SQLITE_FULL/ } }, done])
  t.strictSame(ids(), [1, 2])
})

t.test('a lock that is not to be had: all of the group hear of it, and nothing is written', async t => {
  const { connection, file, ids } = connected(t)
  const other = new SqliteConnection({ file, readonly: false })
  t.teardown(() => other.close())
  other.read({ sql: 'begin immediate', parameters: [] })
  const group = [together('select 1 as n'), put(1), { ...put(2), expiresAtMs: 0 }, put(3)]
  const results = connection.write(group, () => 1_000)
  t.match(results, [
    // It reads what nobody may change before the others write.
    { error: { kind: 'failed', message: /^SQLITE_BUSY/ } },
    { error: { kind: 'failed', message: /^SQLITE_BUSY/ } },
    { error: { kind: 'expired' } },
    { error: { kind: 'failed', message: /^SQLITE_BUSY/ } }
  ])
  other.read({ sql: 'rollback', parameters: [] })
  t.strictSame(ids(), [])
  t.strictSame(connection.write([put(4)]), [done])
  t.strictSame(ids(), [4])
})

t.test('the store holds exactly what was told to be written, whatever comes together', async t => {
  const { connection, ids } = connected(t)
  const clock = { nowMs: 0 }
  const one = fc.record({
    ids: fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 3 }),
    broken: fc.boolean(),
    expiresAtMs: fc.option(fc.nat({ max: 40 }), { nil: undefined })
  })
  fc.assert(
    fc.property(fc.array(one, { maxLength: 8 }), wanted => {
      connection.write([together('delete from item')])
      clock.nowMs = 0
      const group = wanted.map(({ ids, broken, expiresAtMs }) => ({
        ...together(...ids.map(id => `insert into item values (${id})`), ...(broken ? ['selct'] : [])),
        expiresAtMs
      }))
      // Each look at the clock is a millisecond later.
      const results = connection.write(group, () => clock.nowMs++)
      const written = wanted.filter((_, i) => 'rows' in (results[i] as JobResult)).flatMap(({ ids }) => ids)
      return JSON.stringify(ids()) === JSON.stringify(written.sort((a, b) => a - b))
    }),
    { numRuns: runs(300) }
  )
  t.pass('in every case')
})
