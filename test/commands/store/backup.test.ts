import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { takeServeLock } from '../../../src/store/served/serve-lock.ts'
import { StoreOwner } from '../../../src/store/served/served-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { type CommandLine, commandLine, measured, refused, startNode } from '../../support/cli.ts'
import { gateway, type TestContext } from '../../support/gateway.ts'
import { inMemory } from '../../support/in-memory.ts'
import { makeOlder } from '../../support/store/helper.ts'
import { openStoreHere } from '../../support/store.ts'

const besides = ({ storeFile }: Pick<CommandLine, 'storeFile'>, name: string): string => join(dirname(storeFile), name)
const passphrase = () => `not ${Math.random().toString(36)} a known one`

/** A store with a key that is revoked after its backup, the backup with its keys, and a folder for what is restored elsewhere. */
async function backedUp(t: TestContext, { isSealed = false } = {}) {
  const cli = commandLine(t)
  const folder = inMemory(t).testdir()
  const file = join(folder, 'livegate.backup')
  const secret = join(folder, 'passphrase')
  writeFileSync(secret, `${passphrase()}\n`)
  await cli.json('tenant', 'create', 'acme')
  const { id } = await cli.json('key', 'create', 'acme', '--preset', 'viewer')
  // To seal keys, and to open them, takes long on purpose.
  const opened = isSealed ? ['--passphrase-file', secret] : []
  const made = await cli.json('backup', file, '--with-keys', ...(isSealed ? opened : ['--plain']))
  await cli.json('key', 'revoke', id)
  const elsewhere = commandLine(t, { DATABASE_URL: `sqlite:${join(inMemory(t).testdir(), 'data', 'livegate.db')}` })
  return { cli, elsewhere, folder, file, secret, made, opened }
}

const state = async (cli: CommandLine): Promise<boolean[]> =>
  (await cli.json('key', 'list')).map(({ revoked_at }: { revoked_at: string | null }) => revoked_at === null)

t.test('a backup is one file that nobody else can read; its keys are sealed in another one', async t => {
  const { cli, folder, file, made } = await backedUp(t, { isSealed: true })
  t.strictSame(made, { file, events: 2, keys: `${file}.keys` })
  t.strictSame(readdirSync(folder).sort(), ['livegate.backup', 'livegate.backup.keys', 'passphrase'])
  for (const path of [file, `${file}.keys`]) t.equal(statSync(path).mode & 0o777, 0o600)
  const [, key = ''] = readFileSync(besides(cli, 'audit-signing.key'), 'utf8').split('\n')
  t.notMatch(readFileSync(`${file}.keys`, 'utf8'), key)
  t.notMatch(readFileSync(file, 'latin1'), key)
  const database = new Database(file, { readonly: true })
  t.equal(database.pragma('journal_mode', { simple: true }), 'delete', 'it can be read where nothing can be written')
  database.close()
})

t.test('beside a gateway that writes all the time a backup is one moment of its store', async t => {
  const { asAcme, storeFile } = await gateway(t, {
    config: { readLimit: { calls: 1e5, seconds: 60, burst: 1e5 }, auditReads: 'all' }
  })
  const cli = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
  let writing = true
  const reads = (async () => {
    while (writing) await asAcme('GET', '/v2/livestreams')
  })()
  const file = besides(cli, 'copy.db')
  const { events } = await cli.json('backup', file)
  writing = false
  await reads
  const copy = commandLine(t, { DATABASE_URL: `sqlite:${file}`, LIVEGATE_DATA_DIR: besides(cli, 'nowhere') })
  const outcome = await copy.run('audit', 'verify', '--json')
  t.match(JSON.parse(outcome.stdout), { verified: true, last_seq: events })
  const owners = (file: string): number => {
    const database = new Database(file, { readonly: true })
    const rows = database.prepare("select 1 from meta where name = 'serve_owner'").all()
    database.close()
    return rows.length
  }
  t.strictSame([owners(storeFile), owners(file)], [1, 0], 'nobody serves the copy')
})

t.test('restored into an empty folder, with its keys, a backup goes on, and says that it was restored', async t => {
  const { cli, elsewhere, file, opened } = await backedUp(t)
  t.match(await elsewhere.json('restore', file, ...opened), { event: 3, lost_to: null, replaced: null, left: [] })
  t.strictSame(await state(elsewhere), [true], 'the key that was revoked since works again')
  t.equal((await elsewhere.run('tenant', 'create', 'globex')).code, 0)
  const { code, stdout } = await elsewhere.run('audit', 'verify')
  t.equal(code, 0)
  t.match(stdout, /put an older store back at .*Z \(event 3\): what came after it until then is not known here/)
  const newer = besides(cli, 'audit-checkpoint.txt')
  const known = await elsewhere.run('audit', 'verify', '--checkpoint', newer)
  t.equal(known.code, 3)
  t.match(known.stderr, /event 3 of what livegate\.audit\/\w+ was before is missing/)
  const folder = dirname(elsewhere.storeFile)
  for (const name of ['livegate.db', 'audit-signing.key', 'audit-fingerprint.key']) {
    t.equal(statSync(join(folder, name)).mode & 0o777, 0o600)
  }
})

t.test(
  'over a store it is put with --replace alone: what is lost is accepted and named, and the other store is kept',
  async t => {
    const { cli, file, opened } = await backedUp(t)
    const before = readFileSync(cli.storeFile)
    const outcome = await cli.run('restore', file, ...opened)
    t.strictSame(
      [outcome.code, refused(outcome)],
      [1, `there is a store at ${cli.storeFile}: --replace puts the backup in its place, and keeps it beside it`]
    )
    t.ok(readFileSync(cli.storeFile).equals(before))

    const { replaced, ...rest } = await cli.json('restore', file, '--replace', ...opened)
    t.match(rest, { event: 3, lost_to: 3, left: [] })
    t.match(replaced, /livegate\.db\.replaced-/)
    t.strictSame(await state(cli), [true])
    t.strictSame(await state(commandLine(t, { DATABASE_URL: `sqlite:${replaced}` })), [false], 'whole, beside it')
    t.match(await cli.run('audit', 'verify'), { code: 3, stderr: /event 3 of what .* is missing/ })
    t.equal((await cli.run('tenant', 'create', 'globex')).code, 0)
    t.notOk(readdirSync(dirname(cli.storeFile)).some(name => name.endsWith('.part')))
  }
)

t.test(
  "a lost store is restored without --replace, and a log that it left is not taken for the backup's own",
  async t => {
    const { cli, file, opened } = await backedUp(t)
    rmSync(cli.storeFile)
    writeFileSync(`${cli.storeFile}-wal`, 'of another store')
    const { code, stdout } = await cli.run('restore', file, ...opened)
    t.equal(code, 0)
    t.match(
      stdout,
      /: event 3 of its log says so\nevents up to 3 of what was there before are lost: keys that were revoked/
    )
    t.equal(readdirSync(dirname(cli.storeFile)).filter(name => /replaced-.*-wal$/.test(name)).length, 1)
    t.strictSame(await state(cli), [true])
  }
)

t.test('in the place of a store that cannot be opened a backup is put too', async t => {
  const { cli, file, opened } = await backedUp(t)
  writeFileSync(cli.storeFile, 'garbage'.repeat(1_000))
  writeFileSync(`${cli.storeFile}-wal`, 'garbage')
  const { replaced, lost_to } = await cli.json('restore', file, '--replace', ...opened)
  t.equal(lost_to, 3)
  t.strictSame([readFileSync(replaced, 'utf8').length, readFileSync(`${replaced}-wal`, 'utf8')], [7_000, 'garbage'])
  t.strictSame(await state(cli), [true])
  // Where the list of all tables begins (sqlite.org/fileformat2.html#b_tree_pages).
  const handle = openSync(cli.storeFile, 'r+')
  writeSync(handle, Buffer.alloc(8, 0xff), 0, 8, 100)
  closeSync(handle)
  t.equal((await cli.run('restore', file, '--replace', ...opened)).code, 0, 'also of one that is damaged')
})

t.test('without its keys a restored store is refused as any store is, and restore says what to do', async t => {
  const { cli, elsewhere, file } = await backedUp(t)
  const keys = `${file}.keys`
  copyFileSync(keys, `${keys}.away`)
  rmSync(keys)
  const { left, event } = await elsewhere.json('restore', file)
  t.equal(event, null)
  t.match(left, [/audit-signing.key is missing: restore it from a backup/])
  t.match(refused(await elsewhere.run('tenant', 'create', 'globex')), /audit-signing.key is missing/)

  rmSync(besides(cli, 'audit-signing.key'))
  const replaced = await cli.json('restore', file, '--replace')
  t.match(replaced.left, [/audit-signing.key is missing/, /^then: livegate store accept-older [0-9a-f]{64}$/])
  copyFileSync(`${keys}.away`, keys)
  t.match(await cli.json('restore', file, '--replace'), { event: 3, lost_to: 3, left: [] })
})

t.test('keys are opened with their passphrase alone, and never put over others without being kept', async t => {
  const { cli, elsewhere, folder, file, secret, opened } = await backedUp(t, { isSealed: true })
  const says = async (...args: string[]) => {
    const outcome = await elsewhere.run('restore', file, ...args)
    return [outcome.code, refused(outcome)]
  }
  const keys = `${file}.keys`
  t.strictSame(await says(), [1, `${keys} is sealed: give its passphrase with --passphrase-file`])
  const wrong = join(folder, 'wrong')
  writeFileSync(wrong, passphrase())
  t.strictSame(await says('--passphrase-file', wrong), [
    1,
    `${keys} cannot be opened: the passphrase is another one, or the file is damaged`
  ])
  writeFileSync(wrong, 'short\n')
  t.strictSame(await says('--passphrase-file', wrong), [
    2,
    '--passphrase-file: the passphrase has fewer than 8 characters'
  ])
  t.strictSame(await says('--passphrase-file', folder), [2, `--passphrase-file: ${folder} cannot be read`])
  t.notOk(existsSync(elsewhere.storeFile), 'and nothing was put there')

  const sealed = readFileSync(keys, 'utf8')
  for (const text of ['', '{}', '{"livegate_keys":1,"sealed":false}', 'null']) {
    writeFileSync(keys, text)
    t.strictSame(await says(...opened), [1, `${keys} does not hold the keys of a backup`])
  }
  writeFileSync(keys, sealed.replace(/"data":"..../, '"data":"AAAA'))
  t.match((await says(...opened))[1], /cannot be opened/)
  rmSync(keys)
  symlinkSync(keys, keys)
  t.match((await says(...opened))[1], new RegExp(`^${keys} cannot be read: ELOOP`))
  rmSync(keys)
  writeFileSync(keys, sealed)

  await elsewhere.json('tenant', 'create', 'other')
  rmSync(elsewhere.storeFile)
  const another = besides(elsewhere, 'audit-signing.key')
  t.strictSame(await says(...opened), [1, `${another} is not the key of the backup: move it away`])
  const left = readdirSync(dirname(elsewhere.storeFile)).filter(name => name.startsWith('livegate.db'))
  t.strictSame(left, ['livegate.db.lock'])
  t.match(await elsewhere.json('restore', file, '--replace', ...opened), { left: [] })
  t.equal(readdirSync(dirname(another)).filter(name => name.startsWith('audit-signing.key.superseded-')).length, 1)
  t.equal(readFileSync(another, 'utf8'), readFileSync(besides(cli, 'audit-signing.key'), 'utf8'))

  const given = commandLine(t, { ...cli.env, LIVEGATE_AUDIT_FINGERPRINT_KEY_FILE: secret })
  const outcome = await given.run('restore', file, '--replace', ...opened)
  t.match(refused(outcome), `${secret} is not the key of the backup: it is given by file, so put the right one there`)
})

t.test('a running gateway keeps its store', async t => {
  const { cli, file, opened } = await backedUp(t)
  const lock = await takeServeLock(cli.storeFile, 0)
  const outcome = await cli.run('restore', file, '--replace', ...opened)
  lock.release()
  t.equal(outcome.code, 1)
  t.match(refused(outcome), /^another gateway serves .*; this needs a stopped one$/)
  t.strictSame(await state(cli), [false])
})

/** The claim of a gateway that serves the store. */
function claim(store: Store, file: string, lock: Awaited<ReturnType<typeof takeServeLock>>): Promise<StoreOwner> {
  return StoreOwner.claim({ store, file, lock, replaces: null, bootId: null, clock: systemClock, onNames() {} })
}

t.test('a gateway whose lock file is gone, or that has another name for the store, keeps it', async t => {
  const { cli, folder, file, opened } = await backedUp(t)
  const store = await openStoreHere(cli.storeFile)
  t.teardown(() => store.close())
  const lock = await takeServeLock(cli.storeFile, 0)
  t.teardown(() => lock.release())
  const owner = await claim(store, cli.storeFile, lock)
  const beats = setInterval(() => owner.beat(), 100)
  t.teardown(() => clearInterval(beats))
  rmSync(lock.file)
  const second = join(folder, 'second.db')
  linkSync(cli.storeFile, second)
  const byLink = commandLine(t, { DATABASE_URL: `sqlite:${second}`, LIVEGATE_DATA_DIR: dirname(cli.storeFile) })
  const [, , hash = ''] = readFileSync(besides(cli, 'audit-checkpoint.txt'), 'utf8').split('\n')
  const runs: [CommandLine, string[]][] = [
    [cli, ['restore', file, '--replace', ...opened]],
    [cli, ['audit', 'rotate-key', '--lost']],
    [cli, ['store', 'accept-older', hash]],
    [byLink, ['restore', file, '--replace', ...opened]]
  ]
  for (const [{ run }, args] of runs) {
    const { code, stderr } = await run(...args)
    t.match(
      [code, stderr],
      [1, /another gateway serves .*a lock file that was removed .*; this needs a stopped one\n$/]
    )
  }
  t.strictSame(await state(cli), [false])
  t.notOk(readdirSync(dirname(cli.storeFile)).some(name => name.includes('.replaced-')))
})

t.test('the claim of a killed gateway with the same lock file is taken over at once', async t => {
  const { cli, file, opened } = await backedUp(t)
  const store = await openStoreHere(cli.storeFile)
  const lock = await takeServeLock(cli.storeFile, 0)
  await claim(store, cli.storeFile, lock)
  lock.release()
  await store.close()
  t.match(await cli.run('restore', file, '--replace', ...opened), { code: 0, stderr: '' })
})

t.test(
  'drafts that killed processes have left are removed by the next one, and younger ones of a backup are not',
  async t => {
    const { cli, folder, file, opened } = await backedUp(t)
    const made = (target: string, digit: string, agoMs: number): string => {
      const draft = `${target}.${digit.repeat(12)}.part`
      for (const name of [draft, `${draft}-journal`]) {
        writeFileSync(name, 'x')
        utimesSync(name, new Date(Date.now() - agoMs), new Date(Date.now() - agoMs))
      }
      return draft
    }
    const next = join(folder, 'next.db')
    const old = made(next, 'a', 3_600_000)
    const others = [made(next, 'b', 3_500_000), made(join(folder, 'other.db'), 'a', 3_600_000), `${next}.abc.part`]
    writeFileSync(others[2] ?? '', '')
    await cli.json('backup', next)
    t.strictSame(
      [old, `${old}-journal`, ...others].map(name => existsSync(name)),
      [false, false, true, true, true]
    )
    const left = made(cli.storeFile, 'c', 0)
    await cli.json('restore', file, '--replace', ...opened)
    t.notOk(existsSync(left), 'nobody else restores meanwhile')
  }
)

t.test('a signal leaves no draft of a backup or a restore, and no keys without their store', async t => {
  const { cli, folder, file, opened } = await backedUp(t)
  const before = readdirSync(folder).sort()
  const stores = () => readdirSync(dirname(cli.storeFile)).filter(name => !/-(wal|shm)$|\.lock/.test(name))
  const storesBefore = stores()
  /** A command that hangs in the named step. */
  const hanging = (step: string, ...args: string[]) => {
    const script = `
      import fs from 'node:fs/promises'
      import { syncBuiltinESMExports } from 'node:module'
      const alive = setInterval(() => {}, 1_000)
      fs.${step} = async () => { console.log('ready'); await new Promise(() => {}) }
      syncBuiltinESMExports()
      const { takeSignals } = await import('./src/commands/process/shutdown.ts')
      takeSignals('backup')
      const [{ define }, { main }, { processIo }] = await Promise.all(['commands/usage/define', 'commands/process/main', 'commands/process/process-io'].map(name => import('./src/' + name + '.ts')))
      await main(define, ${JSON.stringify(args)}, processIo())`
    return startNode(t, ['--input-type=module', '-e', script], { ...measured, ...cli.env })
  }
  const children = [
    hanging('link', 'backup', join(folder, 'next.db'), '--with-keys', '--plain'),
    hanging('rename', 'restore', file, '--replace', ...opened)
  ]
  await Promise.all(children.map(child => child.line(/ready/)))
  t.equal(readdirSync(folder).length, before.length + 2, 'there is a draft, and there are keys')
  for (const child of children) child.signal('SIGTERM')
  for (const child of children) t.match(await child.ended, { code: null, stderr: '' }, 'ended by the signal')
  t.strictSame(readdirSync(folder).sort(), before)
  t.strictSame(stores(), storesBefore)
})

t.test('a file that is no backup is not put anywhere, and leaves nothing behind', async t => {
  const { cli, elsewhere, folder, file, opened } = await backedUp(t)
  const says = async (path: string) => refused(await elsewhere.run('restore', path, ...opened))
  t.equal(await says(join(folder, 'none')), `there is no backup at ${join(folder, 'none')}`)
  t.match(await says(join(folder, 'passphrase')), /passphrase cannot be copied: file is not a database$/)
  const foreign = join(folder, 'foreign.db')
  new Database(foreign).exec('create table x (y)').close()
  t.match(await says(foreign), /foreign.db is no store of Livegate$/)
  const changed = (name: string, sql: string): string => {
    const copy = join(folder, name)
    copyFileSync(file, copy)
    new Database(copy).exec(sql).close()
    return copy
  }
  t.match(
    await says(changed('newer.db', "update meta set value = '999' where name = 'schema_version'")),
    /is of a newer Livegate$/
  )
  t.match(await says(changed('trigger.db', 'create view v as select 1')), /is damaged: the store has a view v/)
  const cut = join(folder, 'cut.db')
  writeFileSync(cut, readFileSync(file).subarray(0, 40_000))
  t.match(await says(cut), /cut.db (cannot be copied|is damaged): /)
  t.strictSame(
    readdirSync(dirname(elsewhere.storeFile)).filter(name => !name.endsWith('.lock')),
    []
  )
  t.equal(refused(await cli.run('restore', cli.storeFile, '--replace')), `${cli.storeFile} is the store itself`)
})

t.test('a backup takes the place of no other file, and comes whole or not at all', async t => {
  const { cli, folder, file } = await backedUp(t)
  const says = async (...args: string[]) => refused(await cli.run('backup', ...args))
  t.equal(await says(file), `${file} is there already: give another name`)
  const other = join(folder, 'other')
  writeFileSync(`${other}.keys`, 'x')
  t.equal(await says(other, '--with-keys', '--plain'), `${other}.keys is there already: give another name`)
  // `restore` would take them for its own, and put them over those that the store is signed with.
  t.equal(await says(other), `${other}.keys is there already: give another name`)
  t.notOk(existsSync(other))
  t.match(await says(join(folder, 'no', 'folder')), /^cannot make .*: ENOENT/)
  symlinkSync('nowhere', join(folder, 'dangling'))
  t.match(await says(join(folder, 'dangling'), '--with-keys', '--plain'), /^cannot make .*dangling: EEXIST/)
  symlinkSync('nowhere', join(folder, 'half.keys'))
  t.match(await says(join(folder, 'half'), '--with-keys', '--plain'), /^cannot make .*half.keys: EEXIST/)
  rmSync(besides(cli, 'audit-signing.key'))
  t.match(await says(join(folder, 'keyless'), '--with-keys', '--plain'), /audit-signing.key is missing/)
  t.equal((await cli.run('backup', join(folder, 'keyless'))).code, 0, 'without them the store can be copied')
  const expected = [
    'dangling',
    'half.keys',
    'keyless',
    'livegate.backup',
    'livegate.backup.keys',
    'other.keys',
    'passphrase'
  ]
  t.strictSame(readdirSync(folder).sort(), expected)

  const empty = commandLine(t)
  t.match(refused(await empty.run('backup', join(folder, 'x'))), /^there is no store at /)
  await (await openStoreHere(empty.storeFile)).close()
  t.match(refused(await empty.run('backup', join(folder, 'x'), '--with-keys', '--plain')), 'this store has no keys yet')
})

t.test('a backup that an older Livegate has made is restored, and brought up to date', async t => {
  const { cli, file } = await backedUp(t)
  makeOlder(file)
  t.match(await cli.json('restore', file, '--replace'), { lost_to: 3 })
  t.strictSame(await state(cli), [true])
})
