/**
 * Stands for the package `async-hook-domain`, by which tap finds the test that an uncaught error belongs to: it follows every promise,
 * and takes a quarter of the time of most tests. Here the whole file is red, and the stack tells where.
 */
type Caught = 'uncaughtException' | 'unhandledRejection'
type OnError = (error: unknown, event: Caught) => void

const open = new Set<Domain>()

function blame(error: unknown, event: Caught): void {
  // A test that listens for itself expects it.
  if (process.listenerCount(event) > 1) return
  const [first] = open
  first?.onerror(error, event)
}
const listeners = {
  uncaughtException: (error: unknown) => blame(error, 'uncaughtException'),
  unhandledRejection: (error: unknown) => blame(error, 'unhandledRejection')
}

/** As much of the package's class as tap uses. */
export class Domain {
  readonly onerror: OnError

  constructor(onerror: OnError) {
    this.onerror = onerror
    if (open.size === 0) for (const [event, listen] of Object.entries(listeners)) process.on(event, listen)
    open.add(this)
  }

  destroy(): void {
    if (!open.delete(this) || open.size > 0) return
    for (const [event, listen] of Object.entries(listeners)) process.off(event, listen)
  }
}
