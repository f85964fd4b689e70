import type { Observer } from '../domain/observer.ts'

/** Tells how long it took until audit events were durable, or that they could not be written. */
export async function observedAppend<T>(
  write: () => Promise<T>,
  observer: Pick<Observer, 'auditAppended'>
): Promise<T> {
  const begunAtMs = performance.now()
  let hasFailed = true
  try {
    const rows = await write()
    hasFailed = false
    return rows
  } finally {
    observer.auditAppended(performance.now() - begunAtMs, hasFailed)
  }
}
