import { AuditLog, type AuditLogOptions } from '../../../src/audit/log.ts'
import { toAuditEvent } from '../../../src/audit/ocsf.ts'
import type { AuditEvent, AuditOutcome } from '../../../src/domain/audit/audit-event.ts'

let made = 0
export function eventOf({
  tenantId = 'acme',
  outcome = 'done' as AuditOutcome,
  address = '127.0.0.1',
  timeMs = 1_000
} = {}): AuditEvent {
  const requestId = `r${made++}`
  const resources = [{ type: 'meeting' as const, uid: 'm1' }]
  const subject = { action: 'getLivestream', method: 'GET', tenantId, keyId: 'k1', address, requestId, resources }
  return toAuditEvent(subject, { outcome, status: 200 }, timeMs)
}

/** A log that writes into a list, and can be broken. */
export function logInto(options: Partial<AuditLogOptions> = {}) {
  const groups: AuditEvent[][] = []
  const troubles: number[] = []
  const state = { broken: false }
  const log = new AuditLog({
    async write(events) {
      if (state.broken) throw new Error('disk full')
      groups.push([...events])
    },
    onTrouble: (_error, waiting) => troubles.push(waiting),
    flushAfterMs: 1,
    ...options
  })
  return { log, groups, troubles, state }
}

/** Counts the events behind these. */
export const sumOf = (events: AuditEvent[]): number => events.reduce((sum, { count }) => sum + (count ?? 1), 0)
