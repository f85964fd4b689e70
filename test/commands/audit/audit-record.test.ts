import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { chainHash, noHash } from '../../../src/domain/audit/audit-chain.ts'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import { type CommandLine, commandLine, runHere, runProcess } from '../../support/cli.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

interface Exported {
  seq: number
  prev_hash: string
  hash: string
  event: AuditEvent
}

/** The events on record so far. */
async function log({ run }: CommandLine): Promise<Exported[]> {
  const { stdout } = await run('audit', 'export')
  return stdout
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}

/** The events that a command adds, in the few words that tell them apart, and how it ended. */
async function added(cli: CommandLine, ...args: string[]) {
  const { length } = await log(cli)
  const { code, stdout } = await cli.run(...args)
  const events = (await log(cli)).slice(length).map(({ event }) => event)
  return { code, stdout, events, told: events.map(told) }
}

function told({ api, activity_name, unmapped, resources }: AuditEvent): string {
  const about = resources.map(({ type, uid }) => `${type}:${uid}`)
  return [activity_name, api.operation, unmapped.tenant_id ?? 'nobody', unmapped.outcome, ...about].join(' ')
}

/** The name of the user who runs this test. */
function systemName(): string {
  try {
    return os.userInfo().username
  } catch {
    return String(process.getuid?.())
  }
}

t.test(
  'a command that changes something leaves one event: what, for which tenant, about what, and by whom',
  async t => {
    const cli = commandLine(t)
    const id = randomUUID()
    const steps: [string[], string][] = [
      [['tenant', 'create', 'acme'], 'Create createTenant acme done tenant:acme'],
      [['tenant', 'update', 'acme', '--name', 'Acme'], 'Update updateTenant acme done tenant:acme'],
      [['tenant', 'suspend', 'acme'], 'Update suspendTenant acme done tenant:acme'],
      [['tenant', 'resume', 'acme'], 'Update resumeTenant acme done tenant:acme'],
      [['meeting', 'assign', 'acme', id], `Create assignMeeting acme done tenant:acme meeting:${id}`],
      [['meeting', 'release', id, '--force'], `Delete releaseMeeting acme done meeting:${id}`],
      [['audit', 'rotate-key'], 'Update rotateAuditKey nobody done']
    ]
    for (const [args, event] of steps) {
      const { code, events, told } = await added(cli, ...args)
      t.strictSame({ code, told }, { code: 0, told: [event] })
      t.match(events, [
        { actor: { user: { type: 'Operator', uid: systemName() } }, src_endpoint: { name: 'command line' } }
      ])
    }
    const made = await added(cli, 'key', 'create', 'acme', '--preset', 'viewer', '--json')
    const key = JSON.parse(made.stdout)
    t.strictSame(made.told, [`Create createKey acme done key:${key.id}`])
    t.notOk(JSON.stringify(made.events).includes(key.key.slice(-40)), 'and never the key itself')
    t.strictSame((await added(cli, 'key', 'revoke', key.id)).told, [`Delete revokeKey acme done key:${key.id}`])

    // Events before a millisecond may go, and not those that happen in it.
    const last = (await log(cli)).at(-1)?.event.time ?? 0
    await until(() => Date.now() > last)
    const pruned = await cli.run('audit', 'prune', '--before', new Date(last + 1).toISOString())
    t.equal(pruned.code, 0)
    t.strictSame(
      (await log(cli)).map(({ event }) => told(event)),
      ['Delete pruneAudit nobody done']
    )
    t.equal((await cli.run('audit', 'verify')).code, 0)
  }
)

t.test('meetings from a file are on record all of them, an event for each 99, in one call', async t => {
  const cli = commandLine(t)
  await cli.json('tenant', 'create', 'acme')
  const ids = Array.from({ length: 250 }, () => randomUUID())
  const file = join(dirname(cli.storeFile), 'ids.txt')
  writeFileSync(file, ids.join('\n'))
  await cli.json('meeting', 'assign', 'acme', ids[7] ?? '')
  const { events } = await added(cli, 'meeting', 'assign', 'acme', '--file', file)
  t.strictSame(
    events.map(({ api, resources }) => [api.operation, resources.length]),
    [99, 99, 51].map(count => ['assignMeeting', count + 1])
  )
  const named = events.flatMap(({ resources }) => resources.filter(({ type }) => type === 'meeting'))
  const others = ids.filter(id => id !== ids[7])
  t.strictSame(named.map(({ uid }) => uid).sort(), others.sort(), 'but for the one that was its own already')
  t.equal(new Set(events.map(({ metadata }) => metadata.correlation_uid)).size, 1)
  t.equal((await cli.run('audit', 'verify')).code, 0)
})

t.test('a command that changes nothing, fails, or only reads leaves no event', async t => {
  const cli = commandLine(t)
  for (const id of ['acme', 'globex']) await cli.json('tenant', 'create', id)
  const revoked = await cli.json('key', 'create', 'acme', '--preset', 'viewer')
  await cli.json('key', 'revoke', revoked.id)
  const mine = randomUUID()
  await cli.json('meeting', 'assign', 'acme', mine)
  const before = await log(cli)

  const nothing = [
    ['meeting', 'assign', 'acme', mine],
    ['audit', 'prune', '--before', '2001-01-01']
  ]
  const reads = ['tenant list', 'tenant show acme', 'key list', 'meeting list', 'audit verify', 'audit export']
  for (const args of [...nothing, ...reads.map(line => line.split(' ')), ['audit', 'schema'], ['openapi']]) {
    t.equal((await cli.run(...args)).code, 0, args.join(' '))
  }
  const fail = [
    ['tenant create acme', 'tenant create A', 'tenant update nobody --name x', 'tenant update acme'],
    ['tenant suspend nobody', 'tenant resume nobody', 'key create nobody --preset viewer', 'key create acme'],
    [`key revoke ${revoked.id}`, 'key revoke 0123456789ab', `meeting assign globex ${mine}`, 'meeting assign acme .'],
    [`meeting assign nobody ${mine}`, `meeting release ${randomUUID()}`, 'audit prune --before 2999-01-01']
  ].flat()
  for (const line of fail) t.not((await cli.run(...line.split(' '))).code, 0, line)
  t.strictSame(await log(cli), before)
})

t.test('a change that cannot be put on record is not made', async t => {
  const cli = commandLine(t)
  await cli.json('tenant', 'create', 'acme')
  const key = await cli.json('key', 'create', 'acme', '--preset', 'viewer')
  const mine = randomUUID()
  await cli.json('meeting', 'assign', 'acme', mine)
  const database = new Database(cli.storeFile)
  database.exec(`create trigger no_record before insert on audit_events begin select raise(abort, 'no record'); end`)
  database.close()
  const changes = [
    ['tenant create globex', 'tenant update acme --name x', 'tenant suspend acme', 'key create acme --preset owner'],
    [`key revoke ${key.id}`, `meeting assign acme ${randomUUID()}`, `meeting release ${mine}`, 'audit rotate-key']
  ].flat()
  const standing = async () => {
    const lists = await Promise.all([cli.json('tenant', 'list'), cli.json('key', 'list'), cli.json('meeting', 'list')])
    return [...lists, readFileSync(join(dirname(cli.storeFile), 'audit-public-key.txt'), 'utf8')]
  }
  const before = await standing()
  for (const line of changes) {
    const { code, stderr } = await cli.run(...line.split(' '))
    t.equal(code, 1, line)
    t.match(stderr, /no record/)
  }
  t.strictSame(await standing(), before)
})

t.test('a change that cannot be signed is made and on record, and the command says so', async t => {
  const cli = commandLine(t)
  await cli.json('tenant', 'create', 'acme')
  const database = new Database(cli.storeFile)
  database.exec(`create trigger no_note before insert on audit_checkpoints begin select raise(abort, 'no note'); end`)
  database.close()
  const { code, stderr } = await cli.run('tenant', 'create', 'globex')
  t.equal(code, 0)
  t.match(stderr, /^livegate: note: the audit log could not be signed \(.*no note\)\n$/)
  t.match((await cli.run('audit', 'verify')).stderr, /the store has a trigger no_note, which Livegate has not made/)
  const again = new Database(cli.storeFile)
  again.exec('drop trigger no_note')
  again.close()
  t.match(await cli.json('audit', 'verify'), { last_seq: 2, signed_seq: 1 })
})

t.test('an operator without a name on this system, as in a container, is known by a number', async t => {
  const { userInfo } = os
  t.teardown(() => {
    os.userInfo = userInfo
    syncBuiltinESMExports()
  })
  os.userInfo = () => {
    throw new Error('no such user')
  }
  syncBuiltinESMExports()
  const { events } = await added(commandLine(t), 'tenant', 'create', 'acme')
  t.match(events, [{ actor: { user: { type: 'Operator', uid: String(process.getuid?.()) } } }])
})

t.test(
  "a tenant sees what the command line did to it, and not who sat there; nor what was another tenant's",
  async t => {
    const { asAcme, asGlobex, storeFile } = await gateway(t)
    const { json } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
    await json('tenant', 'update', 'acme', '--name', 'Acme')
    await json('audit', 'rotate-key')
    const shown = async (call: typeof asAcme): Promise<AuditEvent[]> =>
      (await call('GET', '/gateway/audit-events?outcome=done')).json().data
    const [event, ...rest] = await shown(asAcme)
    t.match(event, { api: { operation: 'updateTenant' }, resources: [{ type: 'tenant', uid: 'acme' }] })
    t.strictSame(event?.actor, { user: { type: 'Operator', uid: 'operator', type_id: 2 } })
    t.strictSame(rest, [])
    t.strictSame(await shown(asGlobex), [])
  }
)

t.test('a gateway and commands that write at once add to one chain without a gap', async t => {
  const { asAcme, storeFile, events } = await gateway(t, {
    config: { readLimit: { calls: 100_000, seconds: 60, burst: 100_000 } }
  })
  const cli = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
  const read = async () => (await asAcme('GET', '/v2/livestreams?per_page=1')).statusCode
  const statuses = [await read()]
  const names = ['a', 'b']
  let running = names.length
  const commands = names.map(async name => {
    const { code, stderr } = await runProcess(t, ['tenant', 'create', name], cli.env)
    running -= 1
    t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  })
  while (running > 0) statuses.push(await read())
  await Promise.all(commands)
  t.strictSame(new Set(statuses), new Set([200]))
  t.equal((await events()).length, statuses.length + names.length)

  const { stdout } = await cli.run('audit', 'export')
  const lines = stdout.split('\n').slice(0, -1)
  let last = { seq: 0, hash: noHash }
  const broken = lines.filter(line => {
    const { seq, prev_hash, hash } = JSON.parse(line) as Exported
    const text = line.slice(line.indexOf('"event":') + '"event":'.length, -1)
    const follows = seq === last.seq + 1 && prev_hash === last.hash && hash === chainHash(prev_hash, text)
    last = { seq, hash }
    return !follows
  })
  t.strictSame(broken, [])
  t.equal(last.seq, statuses.length + names.length)
  t.match(await cli.json('audit', 'verify'), { verified: true, last_seq: last.seq })
})

t.test('audit schema prints the schema that is committed, without any configuration', async t => {
  const committed = readFileSync('openapi/audit-event.json', 'utf8')
  const { code, stdout, stderr } = await runHere(['audit', 'schema'], { DATABASE_URL: 'nonsense' })
  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.equal(stdout, committed, 'run npm run openapi when the event has changed')
  t.strictSame(JSON.parse((await runHere(['audit', 'schema', '--json'], {})).stdout), JSON.parse(committed))
  t.notOk(existsSync('nonsense'))
})
