import type { Operations } from '../../store/tables/operations.ts'
import type { LedgerDeps } from './ledger.ts'

/** The cause of an end that a look shows. A run that ends while a stop of ours is being repeated was ended by that. */
export function enderOf(operations: Pick<Operations, 'unconfirmedStops'>): LedgerDeps['enderOf'] {
  return async ({ upstream, meetingId }) => {
    const stops = meetingId === null ? [] : await operations.unconfirmedStops({ id: meetingId, upstream })
    const isTenants = stops.some(({ cause }) => cause === null)
    return isTenants ? 'tenant' : (stops.at(-1)?.cause ?? 'outside')
  }
}
