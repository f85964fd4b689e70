import type { Priority } from '../../domain/observer.ts'

export type { Priority } from '../../domain/observer.ts'

/** The tenant that calls are made for, and how urgent they are. */
export interface Errand {
  tenantId: string
  priority: Priority
  /** A read that nobody waits for: it leaves quota to everything else, is not repeated, and its failure says nothing of the vendor. */
  isBackground?: boolean | undefined
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
  /** Kept for these alone. */
  kept: Record<Exclude<Priority, 'read'>, number>
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

/** One tenant's part of the calls now. */
interface Share {
  /** Calls that still count. */
  used: number
  /** Time on the monotonic clock. */
  servedAtMs: number
  askedAtMs: number
  /** It was refused and has not been served since: the next free call is kept for it. */
  claimed: boolean
}

export interface FairShareOptions {
  /** A tenant that has not asked for so long takes no part in the division. */
  activeMs: number
  /** A call is kept so long for a tenant that was refused; one that doesn't come back for it loses it. */
  claimMs: number
}

/**
 * Divides calls among the tenants that are active now. While there is enough, each gets what it asks for. When it runs short, tenants
 * that have had less come first, and among equals the one that has waited longest. A little is always kept for tenants below
 * their share, so that a newcomer need not wait until a whole window has passed.
 */
export class FairShare {
  readonly #options: FairShareOptions
  readonly #shares = new Map<string, Share>()
  /** Calls of all tenants that still count. */
  used = 0

  constructor(options: FairShareOptions) {
    this.#options = options
  }

  /**
   * Whether one more call of this tenant is fair. `free` calls are left of `capacity`. A tenant that is refused has a claim
   * on the next one.
   */
  mayTake(tenantId: string, free: number, capacity: number, nowMs: number): boolean {
    const share = this.#shareOf(tenantId)
    share.askedAtMs = nowMs
    const fair = free >= 1 && free > this.#keptFromOthers(tenantId, share, free, capacity, nowMs)
    if (!fair) share.claimed = true
    return fair
  }

  take(tenantId: string, nowMs: number): void {
    const share = this.#shareOf(tenantId)
    share.used += 1
    share.servedAtMs = nowMs
    share.askedAtMs = nowMs
    share.claimed = false
    this.used += 1
  }

  /** A call of this tenant has left the window. */
  release(tenantId: string): void {
    const share = this.#shareOf(tenantId)
    share.used -= 1
    this.used -= 1
  }

  /** Count of the tenants that it knows. */
  get size(): number {
    return this.#shares.size
  }

  /** Calls that still count, by tenant. */
  byTenant(): { tenantId: string; used: number }[] {
    return [...this.#shares].map(([tenantId, { used }]) => ({ tenantId, used })).filter(({ used }) => used > 0)
  }

  #shareOf(tenantId: string): Share {
    const known = this.#shares.get(tenantId)
    if (known !== undefined) return known
    const never = Number.NEGATIVE_INFINITY
    const share = { used: 0, servedAtMs: never, askedAtMs: never, claimed: false }
    this.#shares.set(tenantId, share)
    return share
  }

  /** Calls that tenants with a better right than this one may still want. */
  #keptFromOthers(tenantId: string, mine: Share, free: number, capacity: number, nowMs: number): number {
    // No more than this is ever kept for others: then there is nothing to compare.
    if (free > capacity / 5 + 2 * this.#shares.size) return 0
    const active: Share[] = []
    for (const [id, share] of this.#shares) {
      if (nowMs - share.askedAtMs <= this.#options.activeMs) {
        if (id !== tenantId) active.push(share)
      } else if (share.used === 0) this.#shares.delete(id)
    }
    const fairShare = capacity / (active.length + 1)
    // Kept for a tenant that has not asked yet: it has had nothing.
    let kept = mine.used > 0 ? Math.floor(capacity / (active.length + 2) / 10) : 0
    for (const other of active) if (comesFirst(other, mine)) kept += this.#keptFor(other, fairShare, nowMs)
    return kept
  }

  #keptFor({ used, claimed, askedAtMs }: Share, fairShare: number, nowMs: number): number {
    const headroom = Math.min(Math.floor(fairShare - used), Math.ceil(fairShare / 10))
    const claim = claimed && nowMs - askedAtMs <= this.#options.claimMs ? 1 : 0
    return Math.max(claim, headroom, 0)
  }
}

function comesFirst(other: Share, mine: Share): boolean {
  return other.used === mine.used ? other.servedAtMs < mine.servedAtMs : other.used < mine.used
}
