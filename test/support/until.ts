/**
 * Waits until something holds, looking every few milliseconds. How long it may take is no promise of ours here: a machine with much
 * else to do gets its time. @throws Error when it doesn't hold within `withinMs`
 */
export async function until(holds: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`it did not happen within ${withinMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
