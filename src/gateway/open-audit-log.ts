import type { FastifyBaseLogger } from 'fastify'
import { AuditLog } from '../audit/log.ts'
import { observedAppend } from '../audit/observed.ts'
import type { AuditedStore } from '../audited-store/audited-store.ts'
import type { Observer } from '../domain/observer.ts'
import type { Store } from '../store/store.ts'

export interface AuditLogDeps {
  store: Store
  audited: AuditedStore
  logger: FastifyBaseLogger
  observer: Observer | undefined
  /** Hears whether events wait. */
  setTrouble(trouble: boolean): void
}

/** The log of events that nobody waits for. Events that can't be written wait. */
export function openAuditLog({ store, audited, logger, observer, setTrouble }: AuditLogDeps): AuditLog {
  return new AuditLog({
    async write(events) {
      const write = () => store.engine.write(events.map(event => audited.events.append(event)))
      await (observer === undefined ? write() : observedAppend(write, observer))
      setTrouble(false)
    },
    onTrouble(err, waiting) {
      setTrouble(true)
      logger.error({ event: 'audit_events_waiting', err, waiting }, 'audit events wait: the store cannot be written')
    }
  })
}

/** Says whether an older store was accepted just now. */
export function tellAccepted({ accepted }: AuditedStore, logger: FastifyBaseLogger): void {
  if (accepted === null)
    logger.warn({ event: 'older_store_nothing_to_accept' }, 'nothing is left to accept: --accept-older-store can go')
  else
    logger.warn(
      { event: 'older_store_accepted', lost: accepted },
      'an older store was accepted: keys that were revoked since work again'
    )
}
