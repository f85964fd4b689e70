import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { copyStore, draftOf, publishCopy, putStore, removeDraft } from '../../../src/store/engine/copy.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { refusalOf, storeWithTenants, tenantNamed } from '../../support/store/helper.ts'
import { openSnapshot } from '../../support/store.ts'

async function tenantsOf(file: string): Promise<string[]> {
  const store = await openSnapshot(file)
  const all = await tenantsIn(store).list()
  await store.close()
  return all.map(({ id }) => id)
}

t.test(
  'a copy has what was written, whether it stands in the database or in its log; its source is not changed',
  async t => {
    const { store, file } = await storeWithTenants(t)
    await tenantsIn(store).create(tenantNamed('late'))
    const before = readFileSync(file)
    const copy = `${file}.copy`
    await copyStore(file, copy)
    t.match(await tenantsOf(copy), ['acme', 'globex', 'late'])
    t.ok(readFileSync(file).equals(before))
    t.equal(statSync(copy).mode & 0o777, 0o600)
    t.match(await refusalOf(copyStore(file, copy)), { reason: /^cannot make .*: EEXIST/ })
    t.match(await tenantsOf(copy), ['acme', 'globex', 'late'], 'a file that is there stays')
  }
)

t.test('a copy that comes to nothing leaves nothing', async t => {
  const folder = t.testdir({ 'a-file': 'no database' })
  t.match(await refusalOf(copyStore(join(folder, 'a-file'), join(folder, 'copy'))), {
    reason: /a-file cannot be copied: file is not/
  })
  t.match(await refusalOf(copyStore(join(folder, 'none'), join(folder, 'copy'))), { reason: /none cannot be copied: / })
  t.strictSame(readdirSync(folder), ['a-file'])
})

t.test('a copy takes no name that is taken', async t => {
  const folder = t.testdir({ taken: 'x', draft: 'y' })
  const draft = draftOf(join(folder, 'copy'))
  copyFileSync(join(folder, 'draft'), draft)
  t.match(await refusalOf(publishCopy(draft, join(folder, 'taken'))), { reason: /^cannot make .*taken: EEXIST/ })
  t.equal(readFileSync(join(folder, 'taken'), 'utf8'), 'x')
  await publishCopy(draft, join(folder, 'copy'))
  t.equal(readFileSync(join(folder, 'copy'), 'utf8'), 'y')
  t.not(draftOf('x'), draftOf('x'))
})

t.test('a draft that could not be made is no trouble at the end', async t => {
  const file = join(t.testdir({ file: '' }), 'file')
  t.doesNotThrow(() => removeDraft(draftOf(join(file, 'copy'))), 'its folder is none')
})

t.test('the log of the store that makes room is kept in it', async t => {
  const { store, file } = await storeWithTenants(t)
  await store.close()
  const crashed = new Database(file)
  crashed.pragma('wal_autocheckpoint = 0')
  crashed.prepare(`update tenants set name = 'late' where id = 'acme'`).run()
  // As a crash leaves it.
  for (const end of ['', '-wal']) copyFileSync(file + end, `${file}.crashed${end}`)
  crashed.close()
  writeFileSync(`${file}.draft`, 'the copy')
  const kept = await putStore(`${file}.draft`, `${file}.crashed`, `${file}.kept`)
  t.equal(kept, `${file}.kept`)
  t.equal(readFileSync(`${file}.crashed`, 'utf8'), 'the copy')
  t.notOk(existsSync(`${file}.crashed-wal`), 'no log is left that is not its own')
  copyFileSync(`${file}.kept`, `${file}.alone`)
  const database = new Database(`${file}.alone`)
  t.strictSame(database.prepare(`select name from tenants where id = 'acme'`).get(), { name: 'late' })
  database.close()
})

t.test('nothing is kept where nothing was; a store that cannot be moved away stays', async t => {
  const folder = t.testdir({ draft: 'one', again: 'two' })
  const file = join(folder, 'livegate.db')
  t.equal(await putStore(join(folder, 'draft'), file, join(folder, 'kept')), null)
  t.equal(readFileSync(file, 'utf8'), 'one')
  mkdirSync(join(folder, 'kept', 'full'), { recursive: true })
  t.match(await refusalOf(putStore(join(folder, 'again'), file, join(folder, 'kept'))), {
    reason: /^cannot put .* in its place: /
  })
  t.equal(readFileSync(file, 'utf8'), 'one')
})
