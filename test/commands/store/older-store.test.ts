import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { openNote } from '../../../src/audit/proof/note.ts'
import { readStatement } from '../../../src/audit/proof/statements.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { takeServeLock } from '../../../src/store/served/serve-lock.ts'
import { type CommandLine, commandLine, refused, runHere } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { gateway, type TestContext } from '../../support/gateway.ts'
import { makeOlder } from '../../support/store/helper.ts'

const besides = ({ storeFile }: Pick<CommandLine, 'storeFile'>, name: string): string => join(dirname(storeFile), name)
const read = (cli: CommandLine, name: string): string => readFileSync(besides(cli, name), 'utf8')

/** The last hash of the checkpoint beside the store, in hex. */
function lastHash(cli: CommandLine): string {
  return readStatement(`${read(cli, 'audit-checkpoint.txt').split('\n\n')[0]}\n`)?.head?.hash ?? ''
}

/** A store of today whose key was revoked, and yesterday's copy of it, in which the key is good. */
async function yesterday(t: TestContext, env = {}) {
  const cli = commandLine(t, env)
  await cli.json('tenant', 'create', 'acme')
  const { id } = await cli.json('key', 'create', 'acme', '--preset', 'viewer')
  const backup = besides(cli, 'yesterday.db')
  copyFileSync(cli.storeFile, backup)
  await cli.json('key', 'revoke', id)
  await cli.json('tenant', 'update', 'acme', '--name', 'Acme')
  return { ...cli, backup, hash: lastHash(cli), putBack: () => copyFileSync(backup, cli.storeFile) }
}

/** `serve` in this process, as far as it comes: it can listen nowhere. */
async function serve(t: TestContext, cli: CommandLine, ...args: string[]) {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const settings = { ...environmentOf(simulator), HOST: '192.0.2.1', PORT: '0', LOG_LEVEL: 'silent' }
  return runHere(['serve', ...args], { ...cli.env, ...settings })
}

const changes = [
  'tenant create globex',
  'key create acme --preset owner',
  'audit rotate-key',
  'audit prune --before 2001-01-01'
]

t.test('an older store beside a newer checkpoint is refused, and nothing of either is changed', async t => {
  const cli = await yesterday(t)
  cli.putBack()
  const before = [read(cli, 'audit-checkpoint.txt'), readFileSync(cli.storeFile)]
  const why = new RegExp(
    `^the store is older than .*audit-checkpoint.txt \\(it has 2 events, and 4 were signed at .*Z\\): .*: livegate store accept-older ${cli.hash}$`
  )
  for (const line of changes) {
    const outcome = await cli.run(...line.split(' '))
    t.equal(outcome.code, 1, line)
    t.match(refused(outcome), why, line)
  }
  const outcome = await serve(t, cli)
  t.strictSame([outcome.code, why.test(refused(outcome))], [1, true])
  const { stdout, code } = await serve(t, cli).then(() => cli.run('doctor'))
  t.equal(code, 1)
  t.match(stdout, /^FAIL {2}store of .*: the store is older than .*: livegate store accept-older [0-9a-f]{64}$/m)
  t.match(await cli.json('key', 'list'), [{ revoked_at: null }], 'what only reads goes on')
  t.equal((await cli.run('audit', 'verify')).code, 1)
  t.strictSame([read(cli, 'audit-checkpoint.txt'), readFileSync(cli.storeFile)], before)
})

t.test('a store that is gone is refused, and no empty one is made in its place', async t => {
  const cli = await yesterday(t)
  for (const empty of [false, true]) {
    rmSync(cli.storeFile)
    if (empty) writeFileSync(cli.storeFile, '')
    const why = new RegExp(
      `^there is no store at ${cli.storeFile}, and .* vouches for one with 4 events: .* ${cli.hash}$`
    )
    const outcomes = ['tenant create acme', 'key list', 'audit verify', 'audit export'].map(line =>
      cli.run(...line.split(' '))
    )
    for (const outcome of [...(await Promise.all(outcomes)), await serve(t, cli)]) {
      t.equal(outcome.code, 1)
      t.match(refused(outcome), why)
    }
    t.match((await cli.run('doctor')).stdout, /^FAIL {2}store of .*: there is no store at .*, and .* vouches for one/m)
    t.equal(existsSync(cli.storeFile), empty)
    if (!empty) writeFileSync(cli.storeFile, '')
  }
})

t.test('accepted once, it goes on: on record and signed, and the newer checkpoint is kept', async t => {
  const cli = await yesterday(t)
  const newer = read(cli, 'audit-checkpoint.txt')
  cli.putBack()
  t.match(await cli.json('store', 'accept-older', cli.hash), { accepted_at: 3, lost_to: 4 })
  const names = readdirSync(dirname(cli.storeFile)).filter(name => name.includes('superseded'))
  t.match(names, [/^audit-checkpoint\.superseded-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.txt$/])
  t.equal(read(cli, names[0] ?? ''), newer)

  const exported = (await cli.run('audit', 'export', '--after', '2')).stdout
  const { event } = JSON.parse(exported)
  t.match(event, { api: { operation: 'acceptOlderStore' }, actor: { user: { type: 'Operator' } } })
  const said = readStatement(openNote(event.unmapped.note, read(cli, 'audit-public-key.txt')) ?? '')
  t.match(said, { kind: 'restore', head: { seq: 2 }, superseded: { head: { seq: 4, hash: cli.hash } } })

  t.equal((await cli.run('tenant', 'create', 'globex')).code, 0)
  t.match(refused(await serve(t, cli)), /^cannot listen/)
})

t.test(
  'verify names what is lost, by whom and when, and exits 3; also with newer checkpoints from elsewhere',
  async t => {
    const cli = await yesterday(t)
    const kept = besides(cli, 'kept.txt')
    copyFileSync(besides(cli, 'audit-checkpoint.txt'), kept)
    cli.putBack()
    await cli.json('store', 'accept-older', cli.hash)
    await cli.json('tenant', 'create', 'globex')
    for (const args of [[], ['--checkpoint', kept]]) {
      const { code, stdout, stderr } = await cli.run('audit', 'verify', ...args)
      t.equal(code, 3)
      t.match(stdout, /^the audit log holds: events 1 to 4, signed up to 4/)
      t.match(
        stderr,
        /^livegate: the audit log holds, but for what is on record as lost: \S+ put an older store back at .*Z \(event 3\), and events 3 to 4 of what livegate\.audit\/\w+ was before are missing\n$/
      )
      const json = await cli.run('audit', 'verify', '--json', ...args)
      t.equal(json.code, 3)
      t.match(JSON.parse(json.stdout), { verified: false, restores: [{ seq: 3, missing_from: 3, missing_to: 4 }] })
    }
  }
)

t.test('an acceptance is for one state alone: not another hash, not a good store, not the next older one', async t => {
  const cli = await yesterday(t)
  const says = async (...args: string[]) => {
    const outcome = await cli.run('store', 'accept-older', ...args)
    return [outcome.code, refused(outcome)]
  }
  const good = await says(cli.hash)
  t.equal(good[0], 1)
  t.match(good[1], /^nothing to accept: the store has all that .* vouches for$/)
  cli.putBack()
  const [code, why] = await says('ab'.repeat(32))
  t.equal(code, 1)
  t.match(why, /^nothing was accepted: .* ends with another hash$/)
  t.strictSame(await says('nonsense'), [2, 'the last hash of a checkpoint is 64 hex digits'])
  t.match(refused(await serve(t, cli, '--accept-older-store', 'ab'.repeat(32))), /^the store is older/)

  const base64 = Buffer.from(cli.hash, 'hex').toString('base64')
  t.strictSame((await cli.run('store', 'accept-older', base64)).code, 0, 'as it stands in the checkpoint')
  await cli.json('tenant', 'create', 'globex')
  cli.putBack()
  t.match(refused(await cli.run('tenant', 'create', 'other')), /the store is older/, 'the next one is refused again')
  t.equal((await says(cli.hash))[0], 1)
})

t.test('serve takes the same hash, once, and starts as before with an option that is void by then', async t => {
  const cli = await yesterday(t)
  cli.putBack()
  const args = ['--accept-older-store', cli.hash]
  t.match(refused(await serve(t, cli, ...args)), /^cannot listen/)
  t.match(refused(await serve(t, cli)), /^cannot listen/)
  t.match(refused(await serve(t, cli, ...args)), /^cannot listen/)
  t.match(await cli.run('audit', 'verify'), { code: 3 })
  t.equal((await cli.run('audit', 'export')).stdout.match(/acceptOlderStore/g)?.length, 1)
  t.match(await serve(t, cli, '--accept-older-store', 'x'), { code: 2 })
})

t.test(
  'an empty store in the place of a lost one is accepted in the same way; its proof names the log that is gone',
  async t => {
    const cli = await yesterday(t)
    const kept = besides(cli, 'kept.txt')
    copyFileSync(besides(cli, 'audit-checkpoint.txt'), kept)
    rmSync(cli.storeFile)
    t.match(await cli.json('store', 'accept-older', cli.hash), { accepted_at: 1, lost_to: 4 })
    await cli.json('tenant', 'create', 'acme')
    const { code, stderr } = await cli.run('audit', 'verify', '--checkpoint', kept)
    t.equal(code, 3)
    t.match(stderr, /events 1 to 4 of what livegate\.audit\/\w+ was before are missing/)
  }
)

t.test('another store, and one with another history, are refused as an older one is', async t => {
  const cli = await yesterday(t)
  const other = await yesterday(t)
  const mine = besides(cli, 'mine.db')
  copyFileSync(cli.storeFile, mine)
  copyFileSync(other.storeFile, cli.storeFile)
  t.match(
    refused(await cli.run('tenant', 'create', 'x')),
    /^the store is another one than .* is about \(it has 4 events/
  )
  cli.putBack()
  await cli.json('store', 'accept-older', cli.hash)
  await cli.json('tenant', 'create', 'a')
  copyFileSync(mine, cli.storeFile)
  const why = /^the store has another history than .*: its event 4 is not the one that was signed/
  t.match(refused(await cli.run('tenant', 'create', 'x')), why)
  await cli.json('store', 'accept-older', lastHash(cli))
  t.match(await cli.run('audit', 'verify'), { code: 3 })
})

t.test('a crash between the record and the next checkpoint does not ask again', async t => {
  const cli = await yesterday(t)
  const newer = read(cli, 'audit-checkpoint.txt')
  cli.putBack()
  await cli.json('store', 'accept-older', cli.hash)
  writeFileSync(besides(cli, 'audit-checkpoint.txt'), newer)
  t.match(await cli.run('audit', 'verify'), { code: 3 })
  t.equal((await cli.run('tenant', 'create', 'globex')).code, 0)
  t.equal((await cli.run('store', 'accept-older', cli.hash)).code, 1)
})

t.test('a gateway that runs keeps it from being accepted', async t => {
  const cli = await yesterday(t)
  cli.putBack()
  const lock = await takeServeLock(cli.storeFile, 0)
  const outcome = await cli.run('store', 'accept-older', cli.hash)
  lock.release()
  t.equal(outcome.code, 1)
  t.match(refused(outcome), /^another gateway serves .*; this needs a stopped one$/)
  t.equal((await cli.run('store', 'accept-older', cli.hash)).code, 0)
})

t.test('a checkpoint that says nothing refuses nothing; without one there is nothing to accept', async t => {
  const cli = await yesterday(t)
  writeFileSync(besides(cli, 'audit-checkpoint.txt'), '')
  const { code, stderr } = await cli.run('tenant', 'create', 'globex')
  t.equal(code, 0)
  t.match(
    stderr,
    /^livegate: note: the audit log could not be signed \(.*audit-checkpoint.txt is no checkpoint: .*\)\n$/
  )
  t.match(read(cli, 'audit-checkpoint.txt'), /^livegate\.audit\//)
  rmSync(besides(cli, 'audit-checkpoint.txt'))
  spawnSync('mkfifo', [besides(cli, 'audit-checkpoint.txt')])
  t.equal((await cli.run('audit', 'verify')).code, 0)
  const beside = await cli.run('tenant', 'create', 'hooli')
  t.strictSame(
    [beside.code, /audit-checkpoint.txt is no regular file\)\n$/.test(beside.stderr)],
    [0, true],
    'nor a pipe'
  )
  renameSync(besides(cli, 'audit-checkpoint.txt'), besides(cli, 'away.txt'))
  t.match(refused(await cli.run('store', 'accept-older', cli.hash)), /^there is no checkpoint in /)
})

t.test('pruned events are not missed, and a running gateway and its commands do not refuse each other', async t => {
  const { asAcme, storeFile } = await gateway(t)
  const cli = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
  await asAcme('GET', '/v2/livestreams')
  for (const id of ['a', 'b', 'c']) await cli.json('tenant', 'create', id)
  t.match(await cli.json('audit', 'prune', '--before', new Date().toISOString()), { removed: Number })
  await cli.json('tenant', 'create', 'd')
})

t.test('an older store that an older Livegate has written is accepted too, and brought up to date', async t => {
  const cli = await yesterday(t)
  cli.putBack()
  makeOlder(cli.storeFile)
  t.match(await cli.json('store', 'accept-older', cli.hash), { accepted_at: 3, lost_to: 4 })
  t.equal((await cli.run('tenant', 'list')).code, 0)
})
