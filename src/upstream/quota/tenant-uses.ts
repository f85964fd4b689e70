import type { Priority } from './errand.ts'
import type { FairShare } from './fair-share.ts'
import type { TenantUse } from './quota-use.ts'

const tenantsShown = 100
const namesOf = { read: 'reads', mutation: 'mutations', stop: 'stops' } as const

/** Tenants that have used most, the greediest first. */
export function tenantUses(shares: Readonly<Record<Priority, FairShare>>): TenantUse[] {
  const uses = new Map<string, TenantUse>()
  for (const priority of ['read', 'mutation', 'stop'] as const) {
    for (const { tenantId, used } of shares[priority].byTenant()) {
      const use = uses.get(tenantId) ?? { tenantId, reads: 0, mutations: 0, stops: 0 }
      uses.set(tenantId, { ...use, [namesOf[priority]]: used })
    }
  }
  const total = ({ reads, mutations, stops }: TenantUse): number => reads + mutations + stops
  return [...uses.values()].sort((a, b) => total(b) - total(a)).slice(0, tenantsShown)
}
