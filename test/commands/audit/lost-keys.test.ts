import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { openNote } from '../../../src/audit/proof/note.ts'
import { readStatement } from '../../../src/audit/proof/statements.ts'
import { takeServeLock } from '../../../src/store/served/serve-lock.ts'
import { upstreamUseIn } from '../../../src/store/tables/upstream-use.ts'
import { type CommandLine, commandLine, refused } from '../../support/cli.ts'
import { gateway, type TestContext } from '../../support/gateway.ts'
import { openStoreHere } from '../../support/store.ts'

const besides = ({ storeFile }: Pick<CommandLine, 'storeFile'>, name: string): string => join(dirname(storeFile), name)
const read = (cli: CommandLine, name: string): string => readFileSync(besides(cli, name), 'utf8')
const signingKey = 'audit-signing.key'
const fingerprintKey = 'audit-fingerprint.key'

/** A store with three events, a copy of its public key, and of its checkpoint. */
async function used(t: TestContext) {
  const cli = commandLine(t)
  for (const id of ['acme', 'globex', 'initech']) await cli.json('tenant', 'create', id)
  const keep = (name: string, as: string): string => {
    copyFileSync(besides(cli, name), besides(cli, as))
    return besides(cli, as)
  }
  return {
    ...cli,
    keep,
    before: keep('audit-public-key.txt', 'before.txt'),
    checkpoint: keep('audit-checkpoint.txt', 'kept.txt')
  }
}

async function operations(cli: CommandLine): Promise<string[]> {
  const lines = (await cli.run('audit', 'export')).stdout.trimEnd().split('\n')
  return lines.map(line => JSON.parse(line).event.api.operation)
}

t.test(
  'a lost signing key is replaced: on record, signed by the new one, and the store can be changed again',
  async t => {
    const cli = await used(t)
    rmSync(besides(cli, signingKey))
    t.match(
      refused(await cli.run('tenant', 'create', 'x')),
      /is missing: .*; when it is lost for good: livegate audit rotate-key --lost$/
    )
    const { code, stdout } = await cli.run('audit', 'rotate-key', '--lost')
    const [after = '', ...rest] = stdout.split('\n')
    t.strictSame([code, rest.length], [0, 2])
    t.equal(read(cli, 'audit-public-key.txt'), `${after}\n`)
    t.strictSame(await operations(cli), ['createTenant', 'createTenant', 'createTenant', 'replaceLostAuditKey'])
    const event = JSON.parse((await cli.run('audit', 'export', '--after', '3')).stdout).event
    const said = readStatement(openNote(event.unmapped.note, after) ?? '')
    const keys = { before: readFileSync(cli.before, 'utf8').trim(), after }
    t.match(said, { kind: 'lost-key', keys, head: { seq: 3 }, by: event.actor.user.uid })
    const [kept = ''] = readdirSync(dirname(cli.storeFile)).filter(name =>
      name.startsWith('audit-public-key.superseded-')
    )
    t.equal(read(cli, kept), readFileSync(cli.before, 'utf8'))

    t.equal((await cli.run('tenant', 'create', 'x')).code, 0)
    t.equal((await cli.run('audit', 'rotate-key')).code, 0)
    t.match(await cli.run('audit', 'verify'), {
      code: 3,
      stderr: /\S+ replaced a lost signing key at .*Z \(event 4\)\n$/
    })
  }
)

t.test('both public keys are needed to prove the log across it, and verify says that the key was lost', async t => {
  const cli = await used(t)
  rmSync(besides(cli, signingKey))
  await cli.json('audit', 'rotate-key', '--lost')
  await cli.json('tenant', 'create', 'x')
  const after = cli.keep('audit-public-key.txt', 'after.txt')
  const verify = (...keys: string[]) =>
    cli.run('audit', 'verify', '--checkpoint', cli.checkpoint, ...keys.flatMap(file => ['--public-key', file]))
  const needed =
    /^the audit log does not hold: event 4: the signing key was lost, and replaced by \S+ at .*Z: the public keys of before and after are needed/
  for (const key of [cli.before, after]) {
    const outcome = await verify(key)
    t.equal(outcome.code, 1)
    t.match(refused(outcome), needed)
  }
  for (const keys of [[cli.before, after], [after, cli.before], []]) {
    const { code, stdout } = await verify(...keys)
    t.equal(code, 3)
    t.match(stdout, /^the audit log holds: events 1 to 5, signed up to 5/)
  }
  const { stdout } = await cli.run('audit', 'verify', '--json')
  t.match(JSON.parse(stdout), {
    verified: false,
    restores: [],
    lost_keys: [{ seq: 4, key_after: read(cli, 'after.txt').trim() }]
  })
})

t.test(
  'a lost fingerprint key is replaced too, alone or with the other, and the accounts of upstreams are learnt again',
  async t => {
    const cli = await used(t)
    const store = await openStoreHere(cli.storeFile)
    await upstreamUseIn(store).rememberAccount('default', 'known')
    await store.close()
    rmSync(besides(cli, fingerprintKey))
    t.match(await cli.json('audit', 'rotate-key', '--lost'), { public_key: null, fingerprint_key_replaced: true })
    t.match(await cli.run('audit', 'verify'), { code: 0 }, 'no signature is missing')
    const again = await openStoreHere(cli.storeFile)
    t.equal(await upstreamUseIn(again).accountOf('default'), null)
    await again.close()

    for (const name of [signingKey, fingerprintKey, 'audit-public-key.txt']) rmSync(besides(cli, name))
    t.match(await cli.json('audit', 'rotate-key', '--lost'), {
      public_key: /^livegate/,
      fingerprint_key_replaced: true
    })
    t.strictSame((await operations(cli)).slice(3), [
      'replaceLostFingerprintKey',
      'replaceLostAuditKey',
      'replaceLostFingerprintKey'
    ])
    t.equal((await cli.run('tenant', 'create', 'x')).code, 0)
    t.match(await cli.run('audit', 'verify'), { code: 3 })
  }
)

t.test(
  'nothing is replaced that is there; a key that lies in the place of a lost one is taken, and never overwritten',
  async t => {
    const cli = await used(t)
    const says = async (line: CommandLine = cli) => {
      const outcome = await line.run('audit', 'rotate-key', '--lost')
      return [outcome.code, refused(outcome)]
    }
    t.strictSame(await says(), [1, 'no key is lost: `audit rotate-key` changes one that is there'])
    t.strictSame(await operations(cli), Array(3).fill('createTenant'))

    const other = await used(t)
    writeFileSync(besides(cli, signingKey), 'no key')
    t.strictSame(await says(), [1, `${besides(cli, signingKey)} is not an Ed25519 private key in PEM`])
    t.equal(read(cli, signingKey), 'no key')
    copyFileSync(besides(other, signingKey), besides(cli, signingKey))
    t.match(
      refused(await cli.run('tenant', 'create', 'x')),
      /is not the key that this store's audit log is signed with/
    )
    t.match(await cli.json('audit', 'rotate-key', '--lost'), { public_key: read(other, 'audit-public-key.txt').trim() })
    t.equal(read(cli, signingKey), read(other, signingKey))

    const given = commandLine(t, { ...cli.env, LIVEGATE_AUDIT_SIGNING_KEY_FILE: besides(cli, 'given.key') })
    t.match((await says(given))[1], /given.key is missing: /)
    renameSync(besides(cli, signingKey), besides(cli, 'given.key'))
    t.match((await says(given))[1], /^no key is lost/)

    const none = commandLine(t)
    t.strictSame(await says(none), [1, `there is no store at ${none.storeFile}: DATABASE_URL says where it is`])
    await (await openStoreHere(none.storeFile)).close()
    t.strictSame(await says(none), [1, 'this store has no keys yet: the first change makes them'])
  }
)

t.test('with an older store whose keys are lost too, the one act does not stand for the other', async t => {
  const cli = await used(t)
  const copy = cli.keep('livegate.db', 'older.db')
  for (const id of ['a', 'b', 'c']) await cli.json('tenant', 'create', id)
  const newer = cli.keep('audit-checkpoint.txt', 'newer.txt')
  copyFileSync(copy, cli.storeFile)
  for (const name of [signingKey, fingerprintKey]) rmSync(besides(cli, name))
  const { code, stdout } = await cli.run('audit', 'rotate-key', '--lost')
  t.equal(code, 0)
  const [, hash = ''] =
    /^the store is older than its checkpoint: livegate store accept-older ([0-9a-f]{64})$/m.exec(stdout) ?? []
  t.equal(read(cli, 'audit-checkpoint.txt'), read(cli, 'newer.txt'), 'the newer checkpoint stays')
  t.match(refused(await cli.run('tenant', 'create', 'x')), /^the store is older/)
  t.match(await cli.json('store', 'accept-older', hash), { accepted_at: 6, lost_to: 6 })
  const { stdout: json } = await cli.run(
    'audit',
    'verify',
    '--json',
    '--checkpoint',
    newer,
    '--checkpoint',
    cli.checkpoint
  )
  t.match(JSON.parse(json), { restores: [{ seq: 6, missing_from: 4, missing_to: 6 }], lost_keys: [{ seq: 4 }] })
})

t.test('a log whose key was lost can be pruned, before and after', async t => {
  const cli = await used(t)
  await cli.json('audit', 'prune', '--before', new Date().toISOString())
  const keep = await cli.json('audit', 'verify')
  rmSync(besides(cli, signingKey))
  await cli.json('audit', 'rotate-key', '--lost')
  await cli.json('tenant', 'create', 'x')
  t.ok(keep.first_seq > 1)
  t.match(await cli.run('audit', 'verify'), { code: 3 })
  t.match(await cli.json('audit', 'prune', '--before', new Date().toISOString()), { removed: 3 })
  t.match(await cli.run('audit', 'verify'), { code: 3, stderr: /replaced a lost signing key/ })
  t.equal((await cli.run('tenant', 'create', 'y')).code, 0)
})

t.test('a running gateway, whose key it has in memory, is not disturbed', async t => {
  const cli = await used(t)
  rmSync(besides(cli, signingKey))
  const lock = await takeServeLock(cli.storeFile, 0)
  const outcome = await cli.run('audit', 'rotate-key', '--lost')
  lock.release()
  t.match([outcome.code, refused(outcome)], [1, /this needs a stopped one$/])
  t.notOk(readdirSync(dirname(cli.storeFile)).includes(signingKey))
})

t.test('after that a gateway serves and stops again', async t => {
  const world = await gateway(t, {
    async before(_store, _simulator, folder) {
      const cli = commandLine(t, { DATABASE_URL: `sqlite:${join(folder, 'livegate.db')}` })
      await cli.json('tenant', 'create', 'initech')
      rmSync(join(folder, signingKey))
      mkdirSync(join(folder, 'empty'))
      await cli.json('audit', 'rotate-key', '--lost')
    }
  })
  const { asAcme, meeting } = world
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
})
