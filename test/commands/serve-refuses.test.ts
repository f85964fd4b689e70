import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { refused, runHere, runProcess } from '../support/cli.ts'
import { environmentOf } from '../support/config.ts'
import { openStoreHere } from '../support/store.ts'

t.test('serve refuses to start without its settings: all problems in one line, no value shown', async t => {
  const env = { PORT: '30o0', DYTE_API_KEY: 'changeme', DYTE_ORGID: 'misspelt-value', VALKEY_URL: 'x://value' }
  const outcome = await runHere(['serve'], env)
  t.equal(outcome.code, 1)
  const line = refused(outcome)
  for (const problem of [
    'PORT must be a whole number from 0 to 65535',
    'DYTE_ORG_ID is missing',
    'DYTE_API_KEY is still a placeholder',
    'VALKEY_URL must be redis://user:password@host:port/database',
    'DYTE_ORGID is not a known variable'
  ]) {
    t.ok(line.includes(problem), problem)
  }
  t.notMatch(line, /30o0|changeme|misspelt-value|x:/)

  const child = await runProcess(t, ['serve'], { DATABASE_URL: `sqlite:${join(t.testdir(), 'livegate.db')}` })
  t.equal(child.code, 1)
  t.match(refused(child), /^the vendor account is missing: set DYTE_ORG_ID and DYTE_API_KEY, or /)
})

t.test('a store that a newer Livegate has written is left alone, by serve and by every other command', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const store = await openStoreHere(file)
  const { sql } = store
  await store.engine.write([
    sql.updateTable('meta').set({ value: '999' }).where('name', '=', 'schema_version').compile()
  ])
  await store.close()
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const vendor = { ...environmentOf(simulator), PORT: '0' }
  const env = { DATABASE_URL: `sqlite:${file}` }
  const reason =
    /(?:^| cannot be read: )the store has schema version 999, this Livegate knows \d+: a newer Livegate has written it$/
  const [serve, list] = await Promise.all([
    runProcess(t, ['serve'], { ...env, ...vendor }),
    runProcess(t, ['tenant', 'list'], env)
  ])
  for (const outcome of [serve, list, await runHere(['key', 'list'], env)]) {
    t.equal(outcome.code, 1)
    t.match(refused(outcome), reason)
  }
})

t.test('a store that cannot be opened is one line with its place, and exit code 1', async t => {
  const folder = t.testdir()
  const noFolder = join(folder, 'a-file')
  writeFileSync(noFolder, 'no database, and no folder')
  const [inFile, broken] = await Promise.all([
    runProcess(t, ['tenant', 'list'], { DATABASE_URL: `sqlite:${join(noFolder, 'livegate.db')}` }),
    runProcess(t, ['tenant', 'list'], { DATABASE_URL: `sqlite:${noFolder}` })
  ])
  t.equal(inFile.code, 1)
  t.ok(refused(inFile).startsWith(`there is no store at ${join(noFolder, 'livegate.db')}: `), refused(inFile))
  t.equal(broken.code, 1)
  t.match(refused(broken), /not a database/)
})

t.test('an address that serve cannot listen on is one line and exit code 1', async t => {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const env = { ...environmentOf(simulator), HOST: '192.0.2.1', PORT: '0', LOG_LEVEL: 'warn' }
  const outcome = await runHere(['serve'], { ...env, DATABASE_URL: `sqlite:${join(t.testdir(), 'livegate.db')}` })
  t.equal(outcome.code, 1)
  t.match(refused(outcome), /^cannot listen: .*EADDRNOTAVAIL.*; HOST and PORT say where$/)
})

t.test('a Unix socket in a folder that is not there is one line that names the folder', async t => {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  // Paths of sockets have 107 bytes at most: the test's own folder is longer.
  const folder = `/tmp/livegate-${process.pid}-missing`
  const env = { ...environmentOf(simulator), HOST: `unix:${folder}/livegate.sock`, LOG_LEVEL: 'warn' }
  const outcome = await runHere(['serve'], { ...env, DATABASE_URL: `sqlite:${join(t.testdir(), 'livegate.db')}` })
  t.equal(outcome.code, 1)
  t.equal(refused(outcome), `cannot listen at ${folder}/livegate.sock: there is no folder ${folder}`)
})
