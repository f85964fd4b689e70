import { Command } from 'commander'
import t from 'tap'
import { define } from '../../src/commands/usage/define.ts'
import { makeKey } from '../../src/domain/api-key.ts'
import { commandLine, refused, runHere } from '../support/cli.ts'

const commands = [
  'serve',
  'demo',
  'simulate',
  'tenant create',
  'tenant update',
  'tenant move',
  'tenant list',
  'tenant show',
  'tenant suspend',
  'tenant resume',
  'tenant webhook set',
  'tenant webhook show',
  'tenant webhook remove',
  'tenant webhook test',
  'key create',
  'key rotate',
  'key list',
  'key revoke',
  'meeting assign',
  'meeting release',
  'meeting list',
  'upstream status',
  'webhook register',
  'webhook list',
  'webhook unregister',
  'operation list',
  'operation show',
  'operation resolve',
  'livestream list',
  'livestream stop',
  'audit verify',
  'audit export',
  'audit prune',
  'audit init-keys',
  'audit rotate-key',
  'audit schema',
  'backup',
  'restore',
  'store copy',
  'store accept-older',
  'status',
  'top',
  'doctor',
  'openapi',
  'healthcheck'
]

t.test('the commands are those of the design', async t => {
  const cli = new Command()
  const notOpened = () => Promise.reject(new Error('not opened'))
  define(cli, { env: {}, out() {}, err() {}, async write() {}, openStore: notOpened, openSnapshot: notOpened })
  const names = (command: Command): string[] =>
    command.commands.length === 0
      ? ['']
      : command.commands.flatMap(child => names(child).map(rest => `${child.name()} ${rest}`.trim()))
  t.strictSame(names(cli), commands)
})

t.test('--help of every command exits 0, prints to standard output and names what the command takes', async t => {
  const options: Record<string, string[]> = {
    demo: ['--host', '--port', '--vendor', '--org', '--key'],
    simulate: ['--host', '--port', '--org', '--key', '--contract', '--meeting', '--live-after', '--start-while-live']
      .concat(['--active-during-invoked', '--stop-with-nothing-live', '--stop-refusal', '--livestream-id', '--lists'])
      .concat(['--nothing-live', '--active-shows-ended', '--stopping-for', '--restart-after', '--restart-refusal'])
      .concat(['--validation', '--livestream-name']),
    'tenant create': ['<id>', '--name', '--upstream', '--read-limit', '--write-limit'],
    'tenant update': ['<id>', '--name', '--read-limit', '--write-limit'],
    'tenant move': ['<id>', '--upstream'],
    'key create': ['<tenant>', '--preset', '--scope', '--expires', '--name'],
    'key rotate': ['<key_id>', '--overlap', '--expires'],
    'key list': ['[tenant]'],
    'key revoke': ['<key_id>'],
    'meeting assign': ['<tenant>', '[meeting_id]', '--file', '--force'],
    'meeting release': ['<meeting_id>', '--force'],
    'meeting list': ['[tenant]'],
    'webhook register': ['[base-url]', '--upstream', 'LIVEGATE_PUBLIC_URL'],
    'webhook list': ['--upstream'],
    'webhook unregister': ['[base-url]', '--upstream'],
    'operation list': ['--open', '--tenant', '--limit'],
    'operation show': ['<id>'],
    'operation resolve': ['<id>', '<outcome>'],
    'livestream list': ['--live', '--tenant'],
    'livestream stop': ['[meeting_id]', '--all', '--tenant', '--wait'],
    'tenant suspend': ['<id>', '--stop-all', '--wait'],
    'audit verify': ['--checkpoint', '--public-key'],
    'audit export': ['--since', '--until', '--tenant', '--after', '--format'],
    'audit prune': ['--before'],
    serve: ['--accept-older-store'],
    backup: ['<file>', '--with-keys', '--passphrase-file', '--plain'],
    restore: ['<file>', '--passphrase-file', '--replace'],
    'store copy': ['<file>'],
    'store accept-older': ['<hash>'],
    doctor: ['--probe-meeting', '--upstream', '--yes']
  }
  for (const command of commands) {
    const { code, stdout, stderr } = await runHere([...command.split(' '), '--help'], {})
    t.strictSame({ code, stderr }, { code: 0, stderr: '' }, command)
    for (const word of [`Usage: livegate ${command}`, '--json', ...(options[command] ?? [])]) {
      t.ok(stdout.includes(word), `${command} --help says ${word}`)
    }
  }
  for (const group of [[], ['tenant'], ['key'], ['meeting'], ['webhook'], ['audit']]) {
    const { code, stdout } = await runHere([...group, '--help'], {})
    t.equal(code, 0)
    t.match(stdout, /Commands:/)
  }
})

t.test('wrong usage is one line on standard error and exit code 2', async t => {
  const { run } = commandLine(t)
  const needed: Record<string, string> = { 'audit prune': ' --before 2026-01-01', 'tenant move': ' --upstream x' }
  const wrong: [string, RegExp][] = [
    ['', /which command\? --help/],
    ['tenant', /which command\? --help/],
    ['nonsense', /unknown command 'nonsense'/],
    ['tenant nonsense', /unknown command 'nonsense'/],
    ['help nonsense', /which command\? --help/],
    ['--nonsense', /unknown option '--nonsense'/],
    ...commands.map((command): [string, RegExp] => {
      return [`${command}${needed[command] ?? ''} --nonsense`, /unknown option '--nonsense'/]
    }),
    ['tenant list --jsno', /unknown option '--jsno' \(Did you mean --json\?\)/],
    ['tenant create', /missing required argument 'id'/],
    ['tenant update', /missing required argument 'id'/],
    ['tenant show', /missing required argument 'id'/],
    ['key create', /missing required argument 'tenant'/],
    ['key revoke', /missing required argument 'key_id'/],
    ['meeting assign', /missing required argument 'tenant'/],
    ['meeting release', /missing required argument 'meeting_id'/],
    ['operation show', /missing required argument 'id'/],
    ['operation resolve', /missing required argument 'id'/],
    ['operation resolve x', /missing required argument 'outcome'/],
    ['audit prune', /required option '--before <time>' not specified/],
    ['audit export --since', /option '--since <time>' argument missing/],
    ['tenant create acme --name', /option '--name <text>' argument missing/],
    ['serve now', /too many arguments/],
    ['demo now', /too many arguments/],
    ['simulate now', /too many arguments/],
    ['doctor now', /too many arguments/],
    ['doctor --probe-meeting', /option '--probe-meeting <id>' argument missing/],
    ['doctor --yes', /--upstream and --yes go with --probe-meeting/],
    ['doctor --upstream rtk', /--upstream and --yes go with --probe-meeting/],
    ['doctor --probe-meeting ../x', /--probe-meeting: not an id of the provider/],
    ['openapi now', /too many arguments/],
    ['healthcheck now', /too many arguments/],
    ['tenant list acme', /too many arguments/],
    ['tenant create acme globex', /too many arguments/],
    ['key list acme globex', /too many arguments/],
    ['meeting assign acme a b', /too many arguments/],
    ['audit verify now', /too many arguments/],
    ['audit export now', /too many arguments/],
    ['audit prune --before 2026-01-01 now', /too many arguments/],
    ['audit rotate-key now', /too many arguments/],
    ['audit schema now', /too many arguments/],
    ['backup', /missing required argument 'file'/],
    ['backup x --plain', /--passphrase-file and --plain go with --with-keys/],
    ['backup x --with-keys', /--with-keys needs --passphrase-file <file> to seal the keys, or --plain/],
    ['restore', /missing required argument 'file'/],
    ['restore a b', /too many arguments/],
    ['store accept-older', /missing required argument 'hash'/],
    ['store accept-older x', /the last hash of a checkpoint is 64 hex digits/],
    ['serve --accept-older-store', /option '--accept-older-store <hash>' argument missing/],
    ['demo --port 65536', /--port must be a whole number from 0 to 65535/],
    ['demo --port 3e3', /--port must be a whole number from 0 to 65535/]
  ]
  for (const [line, message] of wrong) {
    const outcome = await run(...line.split(' ').filter(word => word !== ''))
    t.equal(outcome.code, 2, `livegate ${line}`)
    t.match(refused(outcome), message)
  }
})

t.test('a key that stands in the wrong place is not repeated', async t => {
  const { run } = commandLine(t)
  const key = makeKey().key.reveal()
  const places = [[key], ['key', key], ['key', 'revoke', key], ['key', 'list', key], ['key', 'create', key]]
  for (const args of [
    ...places,
    ['tenant', 'show', key],
    ['tenant', 'create', key],
    ['meeting', 'assign', 'acme', key]
  ]) {
    const outcome = await run(...args)
    t.not(outcome.code, 0)
    t.notMatch(refused(outcome), key)
    t.notMatch(refused(outcome), key.slice(-20))
  }
})

t.test('an unexpected error is one line without a stack, and exit code 1', async t => {
  const failing = (error: unknown) => runHere(['tenant', 'create', 'acme'], {}, () => Promise.reject(error))
  const outcome = await failing(new TypeError('something\n    at somewhere (file.ts:1:1)'))
  t.equal(outcome.code, 1)
  t.equal(refused(outcome), 'unexpected: something at somewhere (file.ts:1:1)')
  t.equal(refused(await failing('thrown as a text')), 'unexpected: thrown as a text')
})

t.test('a store that is not configured well is one line and exit code 1', async t => {
  const outcome = await runHere(['tenant', 'list'], { DATABASE_URL: 'nonsense', LOG_LEVEL: 'loud' })
  t.equal(outcome.code, 1)
  t.match(refused(outcome), /^DATABASE_URL must be sqlite:<file>, or postgres:\S+; LOG_LEVEL must be one of /)
})
