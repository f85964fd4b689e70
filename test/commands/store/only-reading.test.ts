import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { takeServeLock } from '../../../src/store/served/serve-lock.ts'
import { commandLine, refused } from '../../support/cli.ts'
import { makeOlder } from '../../support/store/helper.ts'
import { openStoreHere } from '../../support/store.ts'

const commands = [
  ['tenant', 'list'],
  ['tenant', 'show', 'acme'],
  ['key', 'list'],
  ['meeting', 'list', 'acme'],
  ['operation', 'list'],
  ['operation', 'show', '1'],
  ['audit', 'verify'],
  ['audit', 'export']
]

t.test('a command that only reads makes no store, and no folder for one', async t => {
  for (const command of commands) {
    const file = join(t.testdir(), 'missing/livegate.db')
    const outcome = await commandLine(t, { DATABASE_URL: `sqlite:${file}` }).run(...command)
    const reason = `there is no store at ${file}: \`serve\`, or the first \`tenant create\`, makes it`
    t.strictSame([outcome.code, refused(outcome)], [1, reason], command.join(' '))
    t.notOk(existsSync(dirname(file)))
  }
  const { run, storeFile } = commandLine(t)
  writeFileSync(storeFile, '')
  t.match(refused(await run('key', 'list')), `there is no store at ${storeFile}: \`serve\``, 'an empty file is none')
})

t.test('a command that only reads does not bring the store of an older Livegate up to date', async t => {
  const { run, storeFile } = commandLine(t)
  const store = await openStoreHere(storeFile)
  const older = store.sql.updateTable('meta').set({ value: '1' }).where('name', '=', 'schema_version')
  await store.engine.write([older.compile()])
  await store.close()
  const before = readFileSync(storeFile)
  for (const command of commands) {
    const outcome = await run(...command)
    t.equal(outcome.code, 1, command.join(' '))
    t.match(refused(outcome), /the store has schema version 1, this Livegate needs \d+: start `serve` once$/)
    t.ok(readFileSync(storeFile).equals(before))
  }
})

t.test(
  'a command that changes something brings the store of an older Livegate up to date, though not under a gateway',
  async t => {
    const { run, storeFile } = commandLine(t)
    await (await openStoreHere(storeFile)).close()
    makeOlder(storeFile)
    const before = readFileSync(storeFile)
    const lock = await takeServeLock(storeFile, 0)
    const outcome = await run('tenant', 'create', 'acme')
    const reason = `another gateway serves ${storeFile}: one store, one gateway; to bring an older store up to date needs a stopped one`
    t.strictSame([outcome.code, refused(outcome)], [1, reason])
    t.strictSame(readFileSync(storeFile), before)
    lock.release()
    t.equal((await run('tenant', 'create', 'acme')).code, 0)
  }
)
