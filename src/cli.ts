import type { Command } from 'commander'
import { demo } from './commands/demo.ts'
import { healthcheck } from './commands/healthcheck.ts'
import type { Io } from './commands/io.ts'
import { createKey, listKeys, revokeKey } from './commands/key.ts'
import { main } from './commands/main.ts'
import { assignMeetings, listMeetings, releaseMeeting } from './commands/meeting.ts'
import { openapi } from './commands/openapi.ts'
import { processIo } from './commands/process-io.ts'
import { serve } from './commands/serve.ts'
import { simulate } from './commands/simulate.ts'
import { createTenant, listTenants, resumeTenant, showTenant, suspendTenant, updateTenant } from './commands/tenant.ts'

const several = (value: string, before: string[] = []): string[] => [...before, value]

// biome-ignore format: one command, one paragraph
export function define(cli: Command, io: Io): void {
  cli.description('A self-hosted gateway for livestreams')

  cli.command('serve').description('run the gateway; settings come from the environment').action(() => serve(io))
  cli.command('demo').description('gateway, simulated vendor and two tenants, thrown away at the end').option('--host <address>', 'listen there', '127.0.0.1').option('--port <number>', 'listen there', '3000').option('--vendor <url>', 'a simulated vendor that runs already').option('--org <id>', 'its organization id').option('--key <key>', 'its API key').action(options => demo(io, options))
  const simulator = cli.command('simulate').description('a stand-in for the vendor, with state and faults').option('--host <address>', 'listen there').option('--port <number>', 'listen there', '4100')
  simulator.option('--org <id>', 'organization id it accepts').option('--key <key>', 'API key it accepts').option('--contract <L1|L2>', 'before or since July 2023').option('--meeting <id>', 'a meeting to begin with (several times)', several)
  simulator.option('--live-after <ms>', 'from INVOKED to LIVE').option('--start-while-live <answer>', '200, 409 or second').option('--active-during-invoked <answer>', '200 or 404')
  simulator.option('--stop-with-nothing-live <answer>', '200, 404 or 409').option('--livestream-id <how>', 'reused or new').option('--lists <shape>', 'example or schema').action(options => simulate(io, options))

  const tenant = cli.command('tenant').description('customers of the organisation')
  const limits = (command: Command) => command.option('--name <text>', 'for people').option('--upstream <name>', 'vendor account').option('--read-limit <calls/seconds>', 'like 600/60').option('--write-limit <calls/seconds>', 'like 60/60')
  limits(tenant.command('create <id>').description('add a tenant')).action((id, options) => createTenant(io, id, options))
  limits(tenant.command('update <id>').description('change a tenant')).action((id, options) => updateTenant(io, id, options))
  tenant.command('list').description('all tenants').action(options => listTenants(io, options))
  tenant.command('show <id>').description('one tenant').action((id, options) => showTenant(io, id, options))
  tenant.command('suspend <id>').description('refuse its keys until it is resumed').action((id, options) => suspendTenant(io, id, options))
  tenant.command('resume <id>').description('accept its keys again').action((id, options) => resumeTenant(io, id, options))

  const key = cli.command('key').description('keys of tenants')
  key.command('create <tenant>').description('make a key; it is shown this once').option('--preset <name>', 'viewer, operator or owner').option('--scope <scope>', 'one scope (several times)', several).option('--expires <duration>', 'like 90d').option('--name <text>', 'for people').action((id, options) => createKey(io, id, options))
  key.command('list [tenant]').description('keys, without their secrets').action((id, options) => listKeys(io, id, options))
  key.command('revoke <key_id>').description('end a key within 5 s').action((id, options) => revokeKey(io, id, options))

  const meeting = cli.command('meeting').description('which meeting belongs to which tenant')
  meeting.command('assign <tenant> [meeting_id]').description('give meetings to a tenant').option('--file <ids.txt>', 'one id a line').option('--force', 'also when it is live').action((id, meetingId, options) => assignMeetings(io, id, meetingId, options))
  meeting.command('release <meeting_id>').description('take a meeting from its tenant').option('--force', 'also when it is live').action((id, options) => releaseMeeting(io, id, options))
  meeting.command('list [tenant]').description('assigned meetings').action((id, options) => listMeetings(io, id, options))

  cli.command('openapi').description('print the OpenAPI document').action(() => openapi(io))
  cli.command('healthcheck').description('whether the gateway on this machine answers').action(options => healthcheck(io, options))
}

// A test that imports the table runs nothing. (Not known, before Node 24.2, counts as run.)
if (import.meta.main !== false) process.exitCode = await main(define, process.argv.slice(2), processIo())
