import { join } from 'node:path'
import { sql as raw } from 'kysely'
import t from 'tap'
import { type Engine, readList } from '../../../src/store/engine/engine.ts'
import { openSqliteHere } from '../../../src/store/engine/sqlite-here.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'

t.test('a list is whole however long it is, and only a long one is a scan', async t => {
  const sql = sqlFor('sqlite')
  const engine = await openSqliteHere(join(t.testdir(), 'livegate.db'))
  t.teardown(() => engine.close())
  let scans = 0
  const counted: Pick<Engine, 'read' | 'scan'> = {
    read: query => engine.read(query),
    scan(query) {
      scans++
      return engine.scan(query)
    }
  }
  for (const [length, scanned] of [
    [0, 0],
    [500, 0],
    [501, 1]
  ] as const) {
    const wanted = Array.from({ length }, (_, i) => i)
    const numbers = raw<{ i: number }>`(select value as i from json_each(${JSON.stringify(wanted)}))`
    const list = sql.selectFrom(numbers.as('numbers')).select('i').orderBy('i')
    scans = 0
    const rows = await readList(counted, list)
    t.strictSame(
      rows.map(({ i }) => i),
      wanted
    )
    t.equal(scans, scanned)
  }
})
