import { once } from 'node:events'
import { environment } from '../../config/config.ts'
import { type Io, inPlace } from './io.ts'
import { onInterrupt } from './shutdown.ts'

/** Beside a gateway that writes all the time a command waits for its turn: revoking a key must work when it is busiest. */
const busyTimeoutMs = 10_000

/** The real world: this process's environment, its two streams, a store. */
export function processIo(): Io {
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return // a reader may leave early (`| head`): that is no failure of the command
    process.stderr.write(`livegate: standard output cannot be written: ${message}\n`)
    process.exit(1)
  })
  // No other place is left for an error, and lines on standard error decide nothing.
  process.stderr.on('error', () => {})
  return {
    env: environment,
    out: text => process.stdout.write(`${text}\n`),
    err: text => process.stderr.write(`${text}\n`),
    // Erases what is left of a longer line.
    ...(process.stderr.isTTY && { progress: (line: string) => void process.stderr.write(`\r${line}\u001b[K`) }),
    ...(process.stdout.isTTY && { screen: (text: string) => void process.stdout.write(inPlace(text)) }),
    onInterrupt,
    async write(text) {
      if (process.stdout.write(text)) return
      // Nobody reads the rest. Any other trouble with it has ended this process above.
      await once(process.stdout, 'drain').catch(() => process.exit())
    },
    async openSnapshot(home) {
      const { snapshotAtHome } = await import('../../store/homes.ts')
      return snapshotAtHome(home)
    },
    async openStore(home) {
      const { openAtHome } = await import('../../store/homes.ts')
      return openAtHome(home, { busyTimeoutMs })
    }
  }
}
