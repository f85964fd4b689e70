import closeWithGrace from 'close-with-grace'
import type { Io } from './io.ts'

/**
 * Ends the process with 0 when it is told to stop, after `close`; a second signal, or ten seconds, end it at once. An error
 * that nobody caught ends it with 1 and one line. Gives back what takes this away again.
 */
export function onSignal(io: Io, close: () => Promise<void>): () => void {
  const { uninstall } = closeWithGrace({ delay: 10_000, logger: false }, async ({ err }) => {
    if (err) io.err(`livegate: unexpected: ${err.message}`)
    await close()
  })
  return uninstall
}
