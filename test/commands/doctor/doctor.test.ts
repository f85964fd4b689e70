import { hash, randomUUID } from 'node:crypto'
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import type { Check } from '../../../src/commands/doctor/check.ts'
import { checkDisk } from '../../../src/commands/doctor/store.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { type CommandLine, commandLine } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { doctorIn, fastWorld } from '../../support/doctor.ts'
import { gateway } from '../../support/gateway.ts'
import { openStoreHere } from '../../support/store.ts'

async function operator(t: Test, env: object = {}): Promise<CommandLine> {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  return commandLine(t, { ...environmentOf(simulator), ...env })
}

/** The checks that are not ok, a line each; the exit code has to say so too. */
async function wrong(t: Test, { run }: CommandLine): Promise<string[]> {
  const { code, stdout, stderr } = await run('doctor', '--json')
  const { ok, checks }: { ok: boolean; checks: Check[] } = JSON.parse(stdout)
  const failures = checks.filter(({ status }) => status === 'failed').length
  t.equal(ok, failures === 0)
  t.equal(code, ok ? 0 : 1)
  t.equal(stderr, ok ? '' : `livegate: ${failures} of ${checks.length} checks failed\n`)
  return checks
    .filter(({ status }) => status !== 'ok')
    .map(({ check, subject, status, message }) => `${status}: ${check} of ${subject}: ${message}`)
}

/** Everything in the folder of a store, to compare; what SQLite has beside it for any reader is empty. */
function contentOf({ storeFile }: CommandLine): string[] {
  const folder = dirname(storeFile)
  const names = readdirSync(folder).filter(name => !/-(wal|shm)$/.test(name))
  return names.map(name => `${name} ${hash('sha256', readFileSync(join(folder, name)))}`)
}

t.test('before anything is there all is well, and nothing is made', async t => {
  const cli = await operator(t)
  const { code, stdout, stderr } = await cli.run('doctor')
  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout.split('\n'), [
    'ok    configuration of the environment: complete; upstreams: default',
    `ok    store of ${cli.storeFile}: there is none yet: \`serve\`, or the first \`tenant create\`, makes it`,
    /^ok {4}disk of \S+: \d+ MB are free$/,
    /^ok {4}credentials of the upstream default: taken by http:\S+$/,
    'ok    clock of the upstream default: agrees with ours',
    /^ok {4}webhooks of the upstream default: none is registered/,
    ''
  ])
  t.strictSame(readdirSync(dirname(cli.storeFile)), [])
  const deep = await operator(t, { DATABASE_URL: `sqlite:${join(t.testdir(), 'a/b/livegate.db')}` })
  t.strictSame(await wrong(t, deep), [])
  t.notOk(readdirSync(t.testdir()).includes('a'))
})

t.test('beside a running gateway all is well, and nothing is changed', async t => {
  const { simulator, storeFile, asAcme, meeting } = await gateway(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const { run } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}`, ...environmentOf(simulator) })
  const { code, stdout } = await run('doctor')
  t.equal(code, 0)
  t.match(stdout, /^ok {4}store of \S+: can be read; 2 tenants$/m)
  t.match(stdout, /^ok {4}audit keys of \S+: both are there, and are those of the log$/m)
  t.match(stdout, /^ok {4}tenants of all upstreams: each tenant, meeting and livestream is at an upstream/m)
  t.match(stdout, /^ok {4}clock of the audit log: its last event is not in the future$/m)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
})

t.test('a configuration with mistakes: all are said, and the rest is looked at all the same', async t => {
  const cli = await operator(t, { PORT: '30o0', LIVEGATE_READ_TTL_MS: 'x' })
  t.strictSame(await wrong(t, cli), [
    'failed: configuration of the environment: PORT must be a whole number from 0 to 65535; LIVEGATE_READ_TTL_MS must be a whole number from 0 to 60000: `serve` would not start'
  ])
  const { stdout } = await cli.run('doctor')
  for (const check of ['store', 'disk', 'credentials', 'clock']) t.match(stdout, new RegExp(`^ok {4}${check} of `, 'm'))
  const none = await wrong(t, commandLine(t, { DATABASE_URL: 'nonsense' }))
  t.match(none, [/DATABASE_URL must be sqlite:<file>, or postgres:\S+; the vendor account is missing: set DYTE_ORG_ID/])
})

t.test('a store that is none, is not ours, or cannot be written', async t => {
  const cli = await operator(t)
  writeFileSync(cli.storeFile, 'this is no database, however long one looks at it')
  t.match(await wrong(t, cli), [/^failed: store of \S+livegate\.db: .*not a database/])
  rmSync(cli.storeFile)

  const store = await openStoreHere(cli.storeFile)
  await store.engine.write([{ sql: 'create view v as select 1', parameters: [] }] as never)
  await store.close()
  t.match(await wrong(t, cli), [/^failed: store of \S+: the store has a view v, which Livegate has not made: `serve`/])
  const again = await openStoreHere(cli.storeFile)
  await again.engine.write([
    { sql: "update meta set value = '99' where name = 'schema_version'", parameters: [] }
  ] as never)
  await again.close()
  t.match(await wrong(t, cli), [
    /^failed: store of \S+: cannot be read: the store has schema version 99, .*a newer Livegate/
  ])

  const file = join(t.testdir(), 'file')
  writeFileSync(file, '')
  const under = await operator(t, { DATABASE_URL: `sqlite:${join(file, 'livegate.db')}` })
  t.strictSame(await wrong(t, under), [
    `failed: store of ${file}/livegate.db: ${file} is a file, where a folder should be`
  ])
})

t.test('a store with two names is a warning', async t => {
  const cli = await operator(t)
  await (await openStoreHere(cli.storeFile)).close()
  linkSync(cli.storeFile, `${cli.storeFile}-second`)
  t.match(await wrong(t, cli), [/^warning: store of \S+: has 2 names \(hard links\): use it by one of them alone/])
})

t.test('too little space is a warning', async t => {
  const dataDir = t.testdir()
  const places = { home: { kind: 'sqlite', file: join(dataDir, 'livegate.db') }, auditKeys: { dataDir } } as const
  const { status, message } = await checkDisk(places, Number.MAX_SAFE_INTEGER)
  t.equal(status, 'warning')
  t.match(message, /^\d+ MB are free, less than \d+ \(LIVEGATE_DISK_FLOOR_MB\): make room/)
})

t.test('audit keys that are missing or others, and a rotation that a crash has interrupted', async t => {
  const cli = await operator(t)
  await cli.json('tenant', 'create', 'acme')
  const folder = dirname(cli.storeFile)
  const file = join(folder, 'audit-signing.key')
  const before = contentOf(cli)
  t.strictSame(await wrong(t, cli), [])
  t.strictSame(contentOf(cli), before, 'nothing is changed')

  const publicKey = readFileSync(join(folder, 'audit-public-key.txt'), 'utf8').trim()
  const prepared = `${file}.next-${publicKey.split('+')[1]}`
  renameSync(file, prepared)
  t.strictSame(await wrong(t, cli), [], 'the prepared key is the one that signs')
  t.ok(
    readdirSync(folder).some(name => prepared.endsWith(name)),
    'and is not moved'
  )
  rmSync(prepared)
  t.match(await wrong(t, cli), [
    /^failed: audit keys of \S+: \S+audit-signing\.key is missing: restore it from a backup/
  ])
  t.notOk(readdirSync(folder).includes('audit-signing.key'), 'and none is made')

  const other = await operator(t, { DATABASE_URL: `sqlite:${join(folder, 'other', 'livegate.db')}` })
  await other.json('tenant', 'create', 'acme')
  writeFileSync(file, readFileSync(join(dirname(other.storeFile), 'audit-signing.key')))
  t.match(await wrong(t, cli), [
    /^failed: .*audit-signing\.key is not the key that this store's audit log is signed with/
  ])
})

t.test('a store whose last event is in the future', async t => {
  const cli = await operator(t)
  await cli.json('tenant', 'create', 'acme')
  for (const [behindMs, expected] of [
    [3_000, /ok {4}clock of the audit log/],
    [30_000, /warn {2}clock of the audit log: its last event is \d+ s in the future: let NTP/],
    [120_000, /FAIL {2}clock of the audit log: its last event is \d+ s in the future/]
  ] as const) {
    const world = fastWorld()
    const { now } = world.clock
    world.clock = { ...world.clock, now: () => now() - behindMs }
    t.match((await doctorIn(world, cli.env, {})).stdout, expected)
  }
})

t.test(
  'the doctor names what belongs to an upstream that is not configured, or to a tenant that is not there',
  async t => {
    const folder = t.testdir()
    const [one, two] = [
      await createSimulator({ vendor: 'realtimekit' }),
      await createSimulator({ vendor: 'realtimekit' })
    ]
    t.teardown(() => Promise.all([one.close(), two.close()]))
    const entry = ({ url, account, app, token }: typeof one, given: object) => ({
      provider: 'realtimekit',
      base_url: url,
      account_id: account,
      app_id: app,
      api_token: token,
      ...given
    })
    const list = join(folder, 'upstreams.json')
    const write = (...entries: object[]): void => writeFileSync(list, JSON.stringify(entries))
    const cli = commandLine(t, { DATABASE_URL: `sqlite:${join(folder, 'x.db')}`, LIVEGATE_UPSTREAMS_FILE: list })

    write(entry(one, { name: 'rtk', dedicated_to: 'acme' }), entry(two, { name: 'other' }))
    t.match(await wrong(t, cli), [
      /^warning: tenants of acme: the upstream rtk is dedicated to it, and there is no such/
    ])
    for (const tenant of ['acme', 'globex', 'initech']) await cli.json('tenant', 'create', tenant)
    await cli.json('meeting', 'assign', 'globex', randomUUID(), '--upstream', 'other', '--force')
    t.strictSame(await wrong(t, cli), [])

    write(entry(one, { name: 'rtk', dedicated_to: 'nobody' }))
    t.match(await wrong(t, cli), [
      /^failed: tenants of acme: belongs to the upstream rtk, which is dedicated to nobody: `livegate tenant move acme/,
      /^failed: tenants of globex: belongs to the upstream other, which is not configured: .*`livegate tenant move globex/,
      /^failed: tenants of initech: belongs to the upstream other/,
      /^failed: tenants of nobody: the upstream rtk is dedicated to it, .*`livegate tenant create nobody`, or correct/,
      /^failed: tenants of the upstream other: 1 meeting cannot be reached, since it is not configured/
    ])
  }
)

t.test('nothing secret is printed, whatever is wrong', async t => {
  for (const vendor of ['dyte', 'realtimekit'] as const) {
    const simulator = await createSimulator({ vendor })
    t.teardown(() => simulator.close())
    const env = environmentOf(simulator)
    const meeting = simulator.addMeeting().id
    const { org, key, account, app, token } = simulator
    const secrets = [org, key, account, app, token].filter(text => text !== '')
    const written = [...secrets, Buffer.from(`${org}:${key}`).toString('base64')]
    const file = `sqlite:${join(t.testdir(), `${vendor}.db`)}`
    const breaks: (() => void)[] = [
      () => {},
      () => simulator.fail({ hangUp: true }),
      () => simulator.fail({ status: 500, body: written.join(' ') }),
      () =>
        simulator.fail({ status: 404, body: { success: false, errors: [{ code: 7003, message: written.join(' ') }] } }),
      () => simulator.fail({ status: 401, body: { message: written.join(' ') } }),
      () => simulator.fail({ garbage: true })
    ]
    for (const break_ of breaks) {
      for (const options of [{}, { json: true }, { probeMeeting: meeting, yes: true }]) {
        simulator.clearFaults()
        break_()
        const { stdout, stderr } = await doctorIn(fastWorld(), { ...env, DATABASE_URL: file }, options)
        t.not(stdout + stderr, '')
        const streamKeys = simulator.livestreams().map(({ stream_key }) => stream_key)
        for (const secret of [...written, ...streamKeys]) t.notOk(`${stdout}${stderr}`.includes(secret))
      }
    }
    t.ok(simulator.livestreams().length > 0)
  }
})
