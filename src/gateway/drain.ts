import type { Connections } from '../http/connection/connections.ts'

export interface DrainParts {
  connections: Pick<Connections, 'drain' | 'empty'>
  broadcasts: { idle(): Promise<unknown> }
  auditTrail: { idle(): Promise<unknown> }
  push: { end(): void }
  /** Cuts off calls that wait for the vendor. */
  ending: AbortController
  shutdownMs: number
}

/** The part of a graceful stop that is kept for writing down the calls that were cut off. */
const recordWithinMs = 1_500

/**
 * Lets the calls under way finish, while new ones hear that the gateway ends. Calls that the vendor holds up are cut off early enough
 * to be answered.
 */
export async function drain({
  connections,
  broadcasts,
  auditTrail,
  push,
  ending,
  shutdownMs
}: DrainParts): Promise<void> {
  connections.drain()
  push.end()
  const cutOff = setTimeout(() => ending.abort(), Math.max(shutdownMs / 2, shutdownMs - recordWithinMs))
  await connections.empty(shutdownMs - recordWithinMs / 2)
  await broadcasts.idle()
  await auditTrail.idle()
  clearTimeout(cutOff)
  // Every call has its answer, so the search for outcomes of open operations need not end.
  ending.abort()
}
