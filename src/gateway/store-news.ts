import type { FastifyBaseLogger } from 'fastify'
import { tellTrouble } from '../domain/values/tell-trouble.ts'

const claimFailed = 'that this gateway serves the store could not be written into it'

/** Things that the operational log tells of who serves the store. */
export function storeNews(log: FastifyBaseLogger, { store, shutdownMs }: { store: string; shutdownMs: number }) {
  return {
    onWait() {
      const facts = { store, shutdownMs }
      log.info(
        { event: 'store_served_elsewhere', ...facts },
        'another gateway serves this store: waiting for it to end'
      )
    },
    onNames(names: unknown) {
      const message = 'the database has several names (hard links): use it by one of them alone'
      log.warn({ event: 'store_has_several_names', storeFile: store, names }, message)
    },
    onTrouble: tellTrouble(log, 'error', { event: 'store_claim_failed' }, claimFailed)
  }
}
