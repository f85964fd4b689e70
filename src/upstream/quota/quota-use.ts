import type { Priority } from './errand.ts'
import type { FairShare } from './fair-share.ts'

/** Calls that the vendor still counts, and until when, on the monotonic clock. */
export interface Spent {
  calls: number
  untilMs: number
}

/** State of the quota, for the operator alone. Figures are calls, unless the name says otherwise. */
export interface BudgetStatus {
  /** Since the start. */
  sent: number
  quota: number
  windowMs: number
  /** Quota that is believed in after the vendor has refused calls. */
  loweredTo: number
  used: Record<Priority | 'other', number>
  left: Record<Priority, number>
  pausedForMs: number
}

/** Calls of a tenant that still count. */
export interface TenantUse {
  tenantId: string
  reads: number
  mutations: number
  stops: number
}

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
