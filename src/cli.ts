import type { Command } from 'commander'
import type { Io } from './commands/process/io.ts'
import { isService, leave, takeSignals } from './commands/process/shutdown.ts'

const several = (value: string, before: string[] = []): string[] => [...before, value]

// A command is loaded when it is asked for: a health check, or a key beside a gateway in a small container, should cost little.
// biome-ignore format: one command, one paragraph
export function define(cli: Command, io: Io): void {
  cli.description('A self-hosted gateway for livestreams')

  cli.command('serve').description('run the gateway; settings come from the environment').option('--accept-older-store <hash>', 'the same as `store accept-older <hash>` before it').action(async options => (await import('./commands/serve.ts')).serve(io, options))
  cli.command('demo').description('gateway, simulated vendor and two tenants, thrown away at the end').option('--host <address>', 'listen there', '127.0.0.1').option('--port <number>', 'listen there', '3000').option('--vendor <url>', 'a simulated vendor that runs already').option('--org <id>', 'its organization id').option('--key <key>', 'its API key').option('--cors-origin <origin>', 'a page that may call, like http://localhost:5173 (several times)', several).action(async options => (await import('./commands/demo.ts')).demo(io, options))
  const simulator = cli.command('simulate').description('a stand-in for the vendor, with state and faults').option('--host <address>', 'listen there').option('--port <number>', 'listen there', '4100')
  simulator.option('--vendor <name>', 'dyte or realtimekit').option('--account <id>', 'RealtimeKit: the account').option('--app <id>', 'the app').option('--token <token>', 'API token it accepts').option('--bad-token <answer>', '401 or 403').option('--dropped <how>', 'operations no longer documented: gone or answer')
  simulator.option('--org <id>', 'Dyte: organization id it accepts').option('--key <key>', 'API key it accepts').option('--contract <L1|L2>', 'before or since July 2023').option('--meeting <id>', 'a meeting to begin with (several times)', several)
  simulator.option('--nothing-live <answer>', 'what active-livestream says then: 404, 400, 409, 500, null or empty').option('--active-shows-ended', 'it shows the last livestream, IDLE or ERRORED, where there is one')
  simulator.option('--stopping-for <ms>', 'so long a run goes on after a stop').option('--restart-after <ms>', 'so long a start is refused after a stop').option('--restart-refusal <answer>', 'with 400 or 409')
  simulator.option('--validation <answer>', '422, which is strict, or 400').option('--livestream-name <which>', 'pattern or any')
  simulator.option('--live-after <ms>', 'from INVOKED to LIVE').option('--start-while-live <answer>', '200, 409 or second').option('--active-during-invoked <answer>', '200 or 404')
  simulator.option('--stop-with-nothing-live <answer>', '200, 400, 404 or 409').option('--stop-refusal <answer>', 'to a stop before LIVE: 400, 404 or 409 (none: it is taken)').option('--livestream-id <how>', 'reused or new').option('--lists <shape>', 'example or schema').option('--quota <limit>', 'the vendor\'s own: calls/seconds[,lock-out seconds]').action(async options => (await import('./commands/simulate.ts')).simulate(io, options))

  const tenant = cli.command('tenant').description('customers of the organisation')
  const limits = (command: Command) => command.option('--name <text>', 'for people').option('--read-limit <calls/seconds[,burst]>', 'like 600/60 or 600/60,100').option('--write-limit <calls/seconds[,burst]>', 'like 60/60')
  limits(tenant.command('create <id>').description('add a tenant')).option('--upstream <name>', 'vendor account').action(async (id, options) => (await import('./commands/tenant.ts')).createTenant(io, id, options))
  limits(tenant.command('update <id>').description('change a tenant')).action(async (id, options) => (await import('./commands/tenant.ts')).updateTenant(io, id, options))
  tenant.command('move <id>').description('make what is new of it at another vendor account').requiredOption('--upstream <name>', 'vendor account').action(async (id, options) => (await import('./commands/tenant.ts')).moveTenant(io, id, options))
  tenant.command('list').description('all tenants').action(async options => (await import('./commands/tenant.ts')).listTenants(io, options))
  tenant.command('show <id>').description('one tenant').action(async (id, options) => (await import('./commands/tenant.ts')).showTenant(io, id, options))
  tenant.command('suspend <id>').description('refuse its keys until it is resumed').action(async (id, options) => (await import('./commands/tenant.ts')).suspendTenant(io, id, options))
  tenant.command('resume <id>').description('accept its keys again').action(async (id, options) => (await import('./commands/tenant.ts')).resumeTenant(io, id, options))

  const key = cli.command('key').description('keys of tenants')
  key.command('create <tenant>').description('make a key; it is shown this once').option('--preset <name>', 'viewer, operator or owner').option('--scope <scope>', 'one scope (several times)', several).option('--expires <duration>', 'like 90d').option('--name <text>', 'for people').action(async (id, options) => (await import('./commands/key.ts')).createKey(io, id, options))
  key.command('list [tenant]').description('keys, without their secrets').action(async (id, options) => (await import('./commands/key.ts')).listKeys(io, id, options))
  key.command('revoke <key_id>').description('end a key within 5 s').action(async (id, options) => (await import('./commands/key.ts')).revokeKey(io, id, options))

  const meeting = cli.command('meeting').description('which meeting belongs to which tenant')
  meeting.command('assign <tenant> [meeting_id]').description('give meetings to a tenant').option('--file <ids.txt>', 'one id a line').option('--upstream <name>', 'the vendor account that has them').option('--force', 'also when it is live, or the vendor has no such meeting').action(async (id, meetingId, options) => (await import('./commands/meeting.ts')).assignMeetings(io, id, meetingId, options))
  meeting.command('release <meeting_id>').description('take a meeting from its tenant').option('--force', 'also when it is live').action(async (id, options) => (await import('./commands/meeting.ts')).releaseMeeting(io, id, options))
  meeting.command('list [tenant]').description('assigned meetings').action(async (id, options) => (await import('./commands/meeting.ts')).listMeetings(io, id, options))

  const upstream = cli.command('upstream').description('vendor accounts')
  upstream.command('status').description('what is left of the vendor\'s quota').action(async options => (await import('./commands/upstream.ts')).showUpstreams(io, options))

  const operation = cli.command('operation').description('calls that went to the vendor')
  operation.command('list').description('the newest first').option('--open', 'only those whose outcome is not known').option('--tenant <id>', 'of one tenant').option('--limit <number>', 'so many', '100').action(async options => (await import('./commands/operation.ts')).listOperations(io, options))
  operation.command('show <id>').description('one of them, with what the vendor said').action(async (id, options) => (await import('./commands/operation.ts')).showOperation(io, id, options))
  operation.command('resolve <id> <outcome>').description('end one by hand: done, failed or stop-repeating').action(async (id, outcome, options) => (await import('./commands/operation.ts')).resolveOperation(io, id, outcome, options))

  const audit = cli.command('audit').description('the audit log')
  audit.command('verify').description('prove that nothing was changed, left out or cut').option('--checkpoint <file>', 'a copy of checkpoints from another place (several times)', several).option('--public-key <file>', 'a trusted copy of the public key (several times, where one was lost)', several).action(async options => (await import('./commands/audit/audit-verify.ts')).verifyAudit(io, options))
  audit.command('export').description('print the log').option('--since <time>', 'at this time or later').option('--until <time>', 'before this time').option('--tenant <id>', 'of one tenant').option('--after <number>', 'after this event').option('--format <format>', 'ndjson, ocsf or csv', 'ndjson').action(async options => (await import('./commands/audit/audit-export.ts')).exportAudit(io, options))
  audit.command('prune').description('remove what is older; that it was removed stays provable').requiredOption('--before <time>', 'a day, or a time with its zone').action(async options => (await import('./commands/audit/audit-keep.ts')).pruneAudit(io, options))
  audit.command('rotate-key').description('sign with a new key from now on').option('--lost', 'when keys are lost for good: the new one says so itself; while no gateway runs').action(async options => (await import('./commands/audit/audit-keep.ts')).rotateAuditKey(io, options))
  audit.command('schema').description('print the JSON Schema of an event').action(async () => (await import('./commands/audit/audit-schema.ts')).auditSchema(io))

  cli.command('backup <file>').description('copy the store, also beside a running gateway').option('--with-keys', 'and the keys of its audit log, into <file>.keys').option('--passphrase-file <file>', 'seal the keys with the first line of this file').option('--plain', 'leave the keys readable').action(async (file, options) => (await import('./commands/backup.ts')).backup(io, file, options))
  cli.command('restore <file>').description('put a backup where the store belongs, with the keys beside it, while no gateway runs').option('--passphrase-file <file>', 'which the keys are sealed with').option('--replace', 'in the place of a store, which is kept').action(async (file, options) => (await import('./commands/restore.ts')).restore(io, file, options))
  const store = cli.command('store').description('the store as a whole')
  store.command('accept-older <hash>').description('go on with a store that is older than its last checkpoint, whose last hash this is; once').action(async (hash, options) => (await import('./commands/store.ts')).acceptOlderStore(io, hash, options))

  const doctor = cli.command('doctor').description('whether all is well, and what to do about it; changes nothing').option('--probe-meeting <id>', 'instead: find out how the vendor answers, with real livestreams in this meeting')
  doctor.option('--upstream <name>', 'the vendor account that has the meeting').option('--yes', 'begin: livestreams cost money').action(async options => (await import('./commands/doctor/doctor.ts')).doctor(io, options))
  cli.command('openapi').description('print the OpenAPI document').action(async () => (await import('./commands/openapi.ts')).openapi(io))
  cli.command('healthcheck').description('whether the gateway on this machine answers').action(async options => (await import('./commands/healthcheck.ts')).healthcheck(io, options))
}

// A test that imports the table runs nothing. (Not known, before Node 24.2, counts as run.)
if (import.meta.main !== false) {
  const [, , ...args] = process.argv
  // Before all else is loaded, which takes most of a start: a signal that comes meanwhile must not be lost.
  takeSignals(args[0])
  if (!isService()) (await import('./commands/process/step-aside.ts')).stepAside()
  const { main } = await import('./commands/process/main.ts')
  const { processIo } = await import('./commands/process/process-io.ts')
  const code = await main(define, args, processIo())
  process.exitCode = code
  // A failed start may leave something open that hangs.
  if (code !== 0 && isService()) await leave(code)
}
