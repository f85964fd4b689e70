import closeWithGrace from 'close-with-grace'

/** Ends the process with 0 when it is told to stop, after `close`; a second signal, or ten seconds, end it at once. */
export function onSignal(close: () => Promise<void>): void {
  closeWithGrace({ delay: 10_000, logger: false }, async () => close())
}
