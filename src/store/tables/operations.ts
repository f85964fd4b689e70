import type { Store } from '../store.ts'
import { operationLookUps } from './operations/look-ups.ts'
import { openOperations } from './operations/open.ts'
import { operationOrder } from './operations/order.ts'
import { operationOwners } from './operations/owners.ts'

export type { OperationEnd } from './operations/open.ts'

/**
 * The table `operations`: every mutation that went, or may have gone, upstream. Their order is that of their ordinals, which
 * the store gives as they are written, and never that of their times: a clock may be set back. What was answered without being
 * sent has its row for its key alone, and no place in the order.
 */
export function operationsIn(store: Store) {
  return { ...openOperations(store), ...operationLookUps(store), ...operationOrder(store), ...operationOwners(store) }
}
export type Operations = ReturnType<typeof operationsIn>
