import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Engine, StoreError, StoreMoved } from '../../../src/store/engine/engine.ts'
import { SqliteConnection } from '../../../src/store/engine/sqlite-connection.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'
import { identityOf } from '../../../src/store/served/store-place.ts'
import { openStore } from '../../../src/store/store.ts'
import { inMemory } from '../../support/in-memory.ts'
import { refusalOf } from '../../support/store/helper.ts'
import { openSnapshot, openStoreHere } from '../../support/store.ts'

const sql = sqlFor('sqlite')
const put = (name: string) => sql.insertInto('meta').values({ name, value: '' }).compile()
const names = ({ read }: Engine): Promise<unknown[]> =>
  read(sql.selectFrom('meta').select('name').where('name', 'like', 'put-%').orderBy('name').compile())

for (const [how, open] of Object.entries({ 'with threads of its own': openStore, 'on this thread': openStoreHere })) {
  t.test(
    `a store ${how} whose file, or what SQLite keeps beside it, is not where it was writes nothing more`,
    async t => {
      const folder = inMemory(t).testdir()
      const file = join(folder, 'livegate.db')
      const { engine, close } = await open(file)
      t.teardown(close)
      await engine.write([put('put-1')])
      await engine.check()
      for (const path of [file, `${file}-wal`, `${file}-shm`]) {
        renameSync(path, `${path}.away`)
        const gone = {
          constructor: StoreMoved,
          reason: new RegExp(`^${path} is not there any more, while it is in use: `)
        }
        t.match(await refusalOf(engine.write([put('put-lost')])), gone)
        t.match(await refusalOf(engine.check()), gone)
        renameSync(`${path}.away`, path)
        await engine.check()
      }
      await engine.write([put('put-2')])
      t.strictSame(await names(engine), [{ name: 'put-1' }, { name: 'put-2' }], 'and goes on when it is there again')
    }
  )

  t.test(`a store ${how} that is another one by now is not written, and not taken for the one of before`, async t => {
    const folder = inMemory(t).testdir()
    const [file, other, link] = ['one.db', 'other.db', 'link.db'].map(name => join(folder, name)) as [
      string,
      string,
      string
    ]
    symlinkSync(file, link)
    await (await openStoreHere(other)).close()
    const { engine, close } = await open(link)
    t.teardown(close)
    rmSync(link)
    symlinkSync(other, link)
    const replaced = {
      constructor: StoreMoved,
      reason: new RegExp(`^${link} is another file now, while it is in use: `)
    }
    t.match(await refusalOf(engine.write([put('put-lost')])), replaced)
    t.match(await refusalOf(engine.check()), replaced)
    const unharmed = await openStoreHere(other)
    t.teardown(() => unharmed.close())
    t.strictSame(await names(unharmed.engine), [])
  })

  t.test(
    `a store ${how} that an older copy is written over takes nothing more, and does not spoil the copy`,
    async t => {
      const file = join(inMemory(t).testdir(), 'livegate.db')
      const { engine, close } = await open(file)
      t.teardown(close)
      await engine.fold()
      const older = readFileSync(file)
      await engine.write(Array.from({ length: 200 }, (_, i) => put(`put-${i}-${'x'.repeat(100)}`)))
      await engine.fold()
      await engine.check()
      t.ok(statSync(file).size > older.length)
      await engine.write([put('put-last')])
      const over = {
        constructor: StoreMoved,
        reason: new RegExp(`^${file} was written over, while it is in use: `)
      }
      // As `cp` does it: the file is the same, and what it holds is not.
      writeFileSync(file, older)
      await engine.fold()
      t.match(await refusalOf(engine.write([put('put-lost')])), over)
      t.match(await refusalOf(engine.check()), over)
      t.strictSame(readFileSync(file), older)
      truncateSync(file, 10 * older.length)
      t.match(await refusalOf(engine.write([put('put-lost')])), over, 'also when it has grown since')
    }
  )

  t.test(`a store ${how} has its rows in its own file after a checkpoint`, async t => {
    const file = join(inMemory(t).testdir(), 'livegate.db')
    const { engine, close } = await open(file)
    t.teardown(close)
    await engine.write([put('put-1')])
    await engine.fold()
    // Without what lies beside it.
    const copy = join(inMemory(t).testdir(), 'copy.db')
    copyFileSync(file, copy)
    const copied = await openSnapshot(copy)
    t.teardown(() => copied.close())
    t.strictSame(await names(copied.engine), [{ name: 'put-1' }])
  })
}

t.test('a thread that starts late has the file of the others, or none', async t => {
  const folder = inMemory(t).testdir()
  const [file, other] = [join(folder, 'livegate.db'), join(folder, 'other.db')]
  await (await openStoreHere(other)).close()
  const { engine, close } = await openStore(file)
  t.teardown(close)
  renameSync(other, file)
  await engine.serve()
  // The thread for lists starts with the first one.
  t.match(await refusalOf(engine.scan(sql.selectFrom('meta').selectAll().compile())), {
    constructor: StoreError,
    reason: new RegExp(`^the store's thread ended: ${file} is another file now`)
  })
  const another = async () => new SqliteConnection({ file, readonly: true, identity: '1:1' })
  t.match(await refusalOf(another()), { constructor: StoreMoved })
  t.equal(identityOf(join(folder, 'none.db')), null)
})
