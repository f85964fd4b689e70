import type { Clock } from '../domain/values/clock.ts'
import type { Store } from '../store/store.ts'
import { apiKeysIn } from '../store/tables/api-keys.ts'
import { keyUsesIn } from '../store/tables/key-uses.ts'
import { watchExpiringKeys } from './expiring-keys.ts'
import { keepKeyUses } from './key-uses.ts'

/** The keys of tenants: when they are used, and whether some expire soon. */
export interface TenantKeys {
  noteUse(keyId: string): void
  someExpire(): boolean
  close(): Promise<void>
}

export function lookAfterKeys(
  store: Store,
  log: { warn(facts: object, message: string): void },
  clock: Pick<Clock, 'now'>
): TenantKeys {
  const uses = keepKeyUses({ engine: store.engine, rows: keyUsesIn(store), log, clock })
  const expiring = watchExpiringKeys({ keys: apiKeysIn(store), log, clock })
  return {
    noteUse: uses.note,
    someExpire: expiring.some,
    close() {
      expiring.close()
      return uses.close()
    }
  }
}
