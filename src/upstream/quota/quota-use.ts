import type { Priority } from './errand.ts'

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
