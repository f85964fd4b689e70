import type { FastifyBaseLogger } from 'fastify'
import { AuditLog } from '../audit/log.ts'
import type { AuditedStore } from '../audited-store/audited-store.ts'
import type { Store } from '../store/store.ts'

/** The log of events that nobody waits for. Events that can't be written wait. @param setTrouble hears whether they do */
export function openAuditLog(
  { engine }: Store,
  { events: auditEvents }: AuditedStore,
  logger: FastifyBaseLogger,
  setTrouble: (trouble: boolean) => void
): AuditLog {
  return new AuditLog({
    async write(events) {
      await engine.write(events.map(event => auditEvents.append(event)))
      setTrouble(false)
    },
    onTrouble(err, waiting) {
      setTrouble(true)
      logger.error({ err, waiting }, 'audit events wait: the store cannot be written')
    }
  })
}

/** Says whether an older store was accepted just now. */
export function tellAccepted({ accepted }: AuditedStore, logger: FastifyBaseLogger): void {
  if (accepted === null) logger.warn('nothing is left to accept: --accept-older-store can go')
  else logger.warn({ lost: accepted }, 'an older store was accepted: keys that were revoked since work again')
}
