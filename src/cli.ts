import { isService, leave, takeSignals } from './commands/process/shutdown.ts'

const [, , ...args] = process.argv
// Before all else is loaded, which takes most of a start: a signal that comes meanwhile must not be lost.
takeSignals(args[0])
if (!isService()) (await import('./commands/process/step-aside.ts')).stepAside()
const { main } = await import('./commands/process/main.ts')
const { define } = await import('./commands/usage/define.ts')
const { processIo } = await import('./commands/process/process-io.ts')
const code = await main(define, args, processIo())
process.exitCode = code
// A failed start may leave something open that hangs.
if (code !== 0 && isService()) await leave(code)
