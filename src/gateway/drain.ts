import type { Connections } from '../http/connection/connections.ts'

export interface DrainParts {
  connections: Pick<Connections, 'drain' | 'empty'>
  broadcasts: { idle(): Promise<unknown> }
  auditTrail: { idle(): Promise<unknown> }
  /** Cuts off what waits for the vendor. */
  ending: AbortController
  shutdownMs: number
}

/** A graceful stop leaves so much of its time to writing down what was cut off. */
const recordWithinMs = 1_500

/**
 * Lets the calls under way finish, while new ones hear that the gateway ends. What the vendor holds up is cut off while there is
 * time to say so.
 */
export async function drain({ connections, broadcasts, auditTrail, ending, shutdownMs }: DrainParts): Promise<void> {
  connections.drain()
  const cutOff = setTimeout(() => ending.abort(), Math.max(shutdownMs / 2, shutdownMs - recordWithinMs))
  await connections.empty(shutdownMs - recordWithinMs / 2)
  await broadcasts.idle()
  await auditTrail.idle()
  clearTimeout(cutOff)
  // Every call has its answer: what only looks after open operations need not end.
  ending.abort()
}
