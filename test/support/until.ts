/** Waits until something holds, looking every few milliseconds. @throws Error when it doesn't within `withinMs` */
export async function until(holds: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`it did not happen within ${withinMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
