/** Urgency of a call: which part of the vendor's quota it may use (`budget.ts`). */
export type Priority = 'stop' | 'mutation' | 'read'

/** The tenant that calls are made for, and how urgent they are. */
export interface Errand {
  tenantId: string
  priority: Priority
  /** Hears of each call that is sent for it. */
  onSent?: (() => void) | undefined
}
