import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { sql as raw } from 'kysely'
import t from 'tap'
import { StoreError } from '../../../src/store/engine/engine.ts'
import { openSqlite } from '../../../src/store/engine/sqlite.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'
import { refusalOf } from '../../support/store/helper.ts'

const sql = sqlFor('sqlite')
const one = raw<{ one: number }>`select 1 as one`.compile(sql)
// Long enough to be under way when the thread ends.
const slow = raw`with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000000) select max(i) from n`

t.test('a folder that cannot be made is refused, and the message names the file', async t => {
  const folder = t.testdir({ file: 'a file where a folder should be' })
  const file = join(folder, 'file', 'livegate.db')
  t.match(await refusalOf(openSqlite(file)), { constructor: StoreError, reason: new RegExp(`^cannot open ${file}: `) })
})

t.test('a folder in the place of the file is refused', async t => {
  const folder = t.testdir({ 'livegate.db': {} })
  t.match(await refusalOf(openSqlite(join(folder, 'livegate.db'))), {
    constructor: StoreError,
    reason: /^cannot open /
  })
})

t.test('a file that is no database is refused and not touched', async t => {
  const text = randomBytes(8_192).toString('base64')
  const file = join(t.testdir({ 'livegate.db': text }), 'livegate.db')
  t.match(await refusalOf(openSqlite(file)), { constructor: StoreError, reason: /not a database/ })
  t.equal(readFileSync(file, 'utf8'), text)
})

t.test('callers of a thread that dies hear so, and the next call has a new thread', async t => {
  const threads: Worker[] = []
  const keep = (thread: Worker) => threads.push(thread)
  process.on('worker', keep)
  t.teardown(() => process.off('worker', keep))
  // On a busy machine it may take seconds until a new thread stands.
  const engine = await openSqlite(join(t.testdir(), 'livegate.db'), { readWithinMs: 60_000 })
  t.teardown(() => engine.close())
  t.strictSame(await engine.read(one), [{ one: 1 }])
  t.equal(threads.length, 1, 'a store that nobody calls has one')
  const serving = engine.serve()
  t.strictSame(await engine.read(one), [{ one: 1 }], 'no look-up waits for the second')
  await serving
  const [writer, reader] = threads
  t.equal(threads.length, 2, 'look-ups have one of their own, and that of scans comes with the first scan')

  const waiting = [engine.read(slow.compile(sql)), engine.read(one)]
  const refused = Promise.all(waiting.map(refusalOf))
  await reader?.terminate()
  for (const refusal of await refused) t.match(refusal, { constructor: StoreError })
  t.strictSame(await engine.read(one), [{ one: 1 }])
  t.equal(threads.length, 3, 'only the thread that died was replaced')

  const write = refusalOf(engine.write([raw`create table half (id int)`.compile(sql), slow.compile(sql)]))
  await sleep(50) // else it has not begun, and the next thread would do it
  await writer?.terminate()
  t.match(await write, { constructor: StoreError })
  await engine.write([raw`create table whole (id int)`.compile(sql)])
  const tables = raw<{ name: string }>`select name from sqlite_master`.compile(sql)
  t.strictSame(await engine.read(tables), [{ name: 'whole' }], 'the transaction that was under way left nothing')
})

t.test('a look-up that takes too long is given up, and a long list holds no look-up back', async t => {
  const engine = await openSqlite(join(t.testdir(), 'livegate.db'), { readWithinMs: 100 })
  t.teardown(() => engine.close())
  await engine.serve()
  const list = engine.scan(slow.compile(sql)).catch(error => error)
  t.strictSame(await engine.read(one), [{ one: 1 }])
  t.match(await refusalOf(engine.read(slow.compile(sql))), { constructor: StoreError, reason: /did not answer within/ })
  await list
})

t.test('scans have no thread before the first call, and none while nobody scans', async t => {
  const threads: Worker[] = []
  const keep = (thread: Worker) => threads.push(thread)
  process.on('worker', keep)
  t.teardown(() => process.off('worker', keep))
  const engine = await openSqlite(join(t.testdir(), 'livegate.db'), { readWithinMs: 60_000, scannerEndsAfterMs: 1 })
  t.strictSame(await engine.scan(one), [{ one: 1 }])
  t.equal(threads.length, 1)
  await engine.serve()
  for (const number of [3, 4]) {
    const begun = once(process, 'worker')
    const scans = [engine.scan(one), engine.scan(one)]
    const [thread] = await begun
    const ended = once(thread, 'exit')
    t.strictSame(await Promise.all(scans), [[{ one: 1 }], [{ one: 1 }]])
    await ended
    t.equal(threads.length, number)
  }
  // Each comes about when the thread of the one before is sent away.
  for (let i = 0; i < 20; i++) {
    t.strictSame(await engine.scan(one), [{ one: 1 }])
    await sleep(i % 3)
  }
  const last = engine.scan(one)
  await engine.close()
  t.strictSame(await last, [{ one: 1 }])
  t.match(await refusalOf(engine.scan(one)), { reason: 'the store is closed' })
})
