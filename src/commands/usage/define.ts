import type { Command } from 'commander'
import type { Io } from '../process/io.ts'
import { audit } from './audit.ts'
import { livestream } from './livestream.ts'
import type { CommandRow, GroupRow, OptionRow } from './row.ts'
import { demo, doctor, healthcheck, openapi, serve, status, top } from './serve.ts'
import { simulate } from './simulate.ts'
import { backup, restore, store } from './store.ts'
import { key, meeting, tenant } from './tenant.ts'
import { operation, upstream, webhook } from './upstream.ts'

/** The command line, in the order of its help. */
const rows: readonly (CommandRow | GroupRow)[] = [
  ...[serve, demo, simulate],
  ...[tenant, key, meeting],
  ...[upstream, webhook, operation, livestream],
  ...[audit, backup, restore, store],
  ...[status, top, doctor, openapi, healthcheck]
]

/** Tells commander of all commands. */
export function define(cli: Command, io: Io): void {
  cli.description('A self-hosted gateway for livestreams')
  for (const row of rows) add(cli, row, io)
}

function add(parent: Command, row: CommandRow | GroupRow, io: Io): void {
  const command = parent.command(row.usage).description(row.about)
  if ('commands' in row) {
    for (const child of row.commands) add(command, child, io)
    return
  }
  for (const option of row.options ?? []) addOption(command, option)
  // A command is loaded when it is asked for: a health check, or a key beside a gateway in a small container, should cost little.
  command.action(async (...given) => {
    const run = await row.load()
    // Commander's types do not follow the usage. The last one is the command itself.
    await run(io, ...(given.slice(0, -1) as never[]))
  })
}

function addOption(command: Command, [flags, about, special]: OptionRow): void {
  if (special === 'required') command.requiredOption(flags, about)
  else if (special === 'repeatable') command.option(flags, about, several)
  else command.option(flags, about, special?.default)
}

function several(value: string, before: string[] = []): string[] {
  return [...before, value]
}
