/** Waits for the answer to a question that others share, and that goes on without this one. Null when the signal comes first. */
export async function inTime<T>(answer: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const over = new AbortController()
  const { promise: ended, resolve } = Promise.withResolvers<null>()
  if (signal.aborted) resolve(null)
  signal.addEventListener('abort', () => resolve(null), { signal: over.signal })
  return Promise.race([answer, ended]).finally(() => over.abort())
}
