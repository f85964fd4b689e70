import type { FairShare } from './fair-share.ts'

/** Urgency of a call: which part of the vendor's quota it may use (`budget.ts`). */
export type Priority = 'stop' | 'mutation' | 'read'

/** The tenant that calls are made for, and how urgent they are. */
export interface Errand {
  tenantId: string
  priority: Priority
  /** Hears of each call that is sent for it. */
  onSent?: (() => void) | undefined
}

/** A call that counts. Exactly one of the two is to be told, once. */
export interface Ticket {
  /** The vendor has answered: it arrived before now. */
  answered(): void
  /** No answer came: it may arrive late, or never. */
  lost(): void
}

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

/** Things that end, added in the order of their ends. */
export class Expiry<T extends { untilMs: number }> {
  #items: T[] = []
  #first = 0

  add(item: T): void {
    this.#items.push(item)
  }

  at(index: number): T | undefined {
    return this.#items[this.#first + index]
  }

  items(): T[] {
    return this.#items.slice(this.#first)
  }

  /** Takes out what has ended before that time. */
  until(timeMs: number): T[] {
    const from = this.#first
    while ((this.#items[this.#first]?.untilMs ?? Number.POSITIVE_INFINITY) < timeMs) this.#first += 1
    const over = this.#items.slice(from, this.#first)
    if (this.#first > 1_000 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return over
  }
}
