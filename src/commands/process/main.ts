import { Command, CommanderError } from 'commander'
import { ConfigError } from '../../config/config.ts'
import { CommandError, type Io, UsageError } from './io.ts'
import { versionLine } from './version.ts'

/**
 * Runs one command line and gives the exit code: 0 done, 1 could not be done, 2 wrong usage, 3 the audit log has a loss on record, or not
 * all that was ordered is done, 130 interrupted while it waited.
 * Whatever goes wrong is one line on standard error.
 */
export async function main(define: (cli: Command, io: Io) => void, args: string[], io: Io): Promise<number> {
  const cli = new Command('livegate').version(versionLine())
  define(cli, io)
  quiet(cli, io)
  try {
    await cli.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0
      const text = error.code === 'commander.help' ? 'which command? --help lists them' : error.message
      io.err(`livegate: ${oneLine(text.replace(/^error: /, ''))}`)
      return 2
    }
    const expected = error instanceof UsageError || error instanceof CommandError || error instanceof ConfigError
    io.err(
      `livegate: ${oneLine(expected ? error.message : `unexpected: ${error instanceof Error ? error.message : error}`)}`
    )
    if (error instanceof CommandError) return error.exitCode
    return error instanceof UsageError ? 2 : 1
  }
}

/** Every command takes `--json`, says nothing by itself, and leaves the process to its caller. */
function quiet(command: Command, io: Io): void {
  command.exitOverride().allowExcessArguments(false).showHelpAfterError(false)
  command.configureOutput({ writeOut: text => io.out(text.trimEnd()), writeErr: () => {} })
  if (command.commands.length === 0) command.option('--json', 'print JSON')
  for (const child of command.commands) quiet(child, io)
}

/** A key that was given by mistake must not be repeated: standard error is often kept. */
function oneLine(text: string): string {
  return text
    .replace(/\s*[\r\n]\s*/g, ' ')
    .replace(/lgk_\w+/g, 'lgk_…')
    .trim()
}
