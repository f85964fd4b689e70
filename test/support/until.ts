/**
 * Waits until something holds, looking every few milliseconds, and less often the longer it takes. How long it may take is no promise of
 * ours here: a machine with much else to do gets its time. @throws Error when it doesn't hold within `withinMs`
 */
export async function until(holds: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const sinceMs = performance.now()
  while (!(await holds())) {
    const waitedMs = performance.now() - sinceMs
    if (waitedMs > withinMs) throw new Error(`it did not happen within ${withinMs} ms`)
    await new Promise(resolve => setTimeout(resolve, pauseMs(waitedMs)))
  }
}

/** A look costs a call, most often, and some let time pass: a long wait has few of them, and is not made much longer by its pauses. */
export function pauseMs(waitedMs: number): number {
  return Math.min(25, Math.max(5, waitedMs / 20))
}
