import type { QuotaShare } from '../../domain/quota-share.ts'
import { UpstreamBudgetExhausted, UpstreamThrottled } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Quota } from '../../domain/values/quota.ts'
import type { VendorLimit } from '../contract/refusals.ts'
import { OtherCalls, WindowSteps } from './other-calls.ts'
import type { BudgetStatus, Errand, Priority, Spent, TenantUse, Ticket } from './quota-use.ts'
import { Expiry, FairShare, tenantUses } from './quota-use.ts'
import { VendorPause } from './restraint.ts'

export interface BudgetOptions {
  /** The vendor's quota: so many calls in any so many seconds. */
  quota: Quota
  /** A call without an answer may still arrive at the vendor for so long. */
  deadlineMs: number
  clock: Clock
  /** Calls of an earlier process that the vendor still counts. */
  spentBefore?: readonly Spent[]
  /** This process's part of the quota, where replicas divide it. Default: all of it. */
  share?: QuotaShare | undefined
  /** Hears of each call that is about to be sent. */
  onSent?(): void
}

interface Counted {
  tenantId: string
  share: FairShare
  /** End of the last window that it is in. */
  untilMs: number
}

/** Shares of the quota that are kept for stops alone, and for starts and other mutations. */
const stopReserve = 0.05
const mutationReserve = 0.2
/** Share that reads in the background leave to those that somebody waits for. */
const readReserve = 0.1
/** The vendor's clock ticks in its own way. */
const marginMs = 10

/**
 * The vendor's quota of one account, shared by all tenants. A call counts from when it leaves until a whole window after its
 * answer. So the vendor never sees more than the quota in any window, wherever the window begins. Reads leave a reserve
 * to starts and other mutations, both leave one to stops, and a stop is never refused here.
 */
export class UpstreamBudget {
  readonly #options: BudgetOptions
  readonly #windowMs: number
  readonly #shares: Record<Priority | 'background', FairShare>
  #inFlight = 0
  #sent = 0
  /** Calls that have ended, each list in the order of its times. */
  readonly #ended = new Expiry<Counted>()
  readonly #lost = new Expiry<Counted>()
  readonly #steps: WindowSteps
  readonly #others: OtherCalls
  readonly #pause: VendorPause

  constructor(options: BudgetOptions) {
    const { quota, clock, spentBefore = [] } = options
    this.#options = options
    this.#windowMs = quota.seconds * 1_000 + marginMs
    this.#steps = new WindowSteps(this.#windowMs)
    this.#pause = new VendorPause(this.#windowMs)
    const activeMs = Math.min(this.#windowMs, 30_000)
    const claimMs = Math.min(this.#windowMs, 5_000)
    const share = (): FairShare => new FairShare({ activeMs, claimMs })
    this.#shares = { stop: share(), mutation: share(), read: share(), background: share() }
    const nowMs = clock.monotonic()
    this.#others = new OtherCalls(spentBefore, { nowMs, latestMs: nowMs + options.deadlineMs + this.#windowMs })
  }

  /**
   * Counts a call that is about to be sent. A stop always may.
   * @throws UpstreamBudgetExhausted or UpstreamThrottled, with when to ask again
   */
  admit(errand: Errand): Ticket {
    const { tenantId, priority, isBackground } = errand
    const nowMs = this.#now()
    if (priority !== 'stop') this.#check(errand, priority, nowMs)
    const share = this.#shares[isBackground ? 'background' : priority]
    share.take(tenantId, nowMs)
    this.#inFlight += 1
    this.#sent += 1
    this.#options.onSent?.()
    const end = (list: Expiry<Counted>, lateMs: number): void => {
      this.#inFlight -= 1
      const untilMs = this.#options.clock.monotonic() + lateMs + this.#windowMs
      list.add({ tenantId, share, untilMs })
      this.#steps.count({ calls: 1, untilMs })
    }
    return {
      answered: () => end(this.#ended, 0),
      lost: () => end(this.#lost, this.#options.deadlineMs)
    }
  }

  /** Takes over the vendor's own figures. They are believed when they leave less than is counted here. */
  tell({ remaining, resetMs, quota }: VendorLimit): void {
    const nowMs = this.#now()
    const whole = this.#options.quota.calls
    // A quota other than the configured one counts by the part that is left: our reserves might be more than all of it.
    const left = quota === null || quota === 0 ? remaining : Math.floor((remaining * whole) / quota)
    // The call that brings the news is in it; of the others under way nobody knows.
    const own = this.#ownUsed() - Math.max(0, this.#inFlight - 1)
    const known = own + this.#usedBefore() + (this.#options.share?.ofOthers() ?? 0)
    this.#others.tell(whole - left - known, nowMs + Math.min(resetMs, this.#windowMs))
  }

  /** The vendor has refused a call as one too many: until then reads and mutations are not even tried. */
  throttled(retryAfterMs: number): void {
    this.#pause.begin(retryAfterMs, this.#now())
  }

  /** The vendor has heard a call that was sent during its pause: then the pause is over. */
  heard(): void {
    this.#pause.end()
  }

  /** Null when no more of the quota can be had at once; else ends when this process may have more. */
  untilMore(): Promise<void> | null {
    return this.#options.share?.more() ?? null
  }

  /** Calls of this process that still count. */
  counted(): number {
    this.#now()
    return this.#ownUsed()
  }

  /** Rest of the vendor's own pause, in ms; 0 when there is none. */
  pausedForMs(): number {
    return this.#pause.leftMs(this.#options.clock.monotonic())
  }

  status(): BudgetStatus {
    const nowMs = this.#now()
    const { read, background, mutation, stop } = this.#shares
    const left = (priority: Priority): number => Math.max(0, Math.floor(this.#free(priority, nowMs)))
    return {
      sent: this.#sent,
      quota: this.#options.quota.calls,
      windowMs: this.#options.quota.seconds * 1_000,
      loweredTo: this.#lowered(nowMs),
      used: {
        stop: stop.used,
        mutation: mutation.used,
        read: read.used + background.used,
        other: this.#usedBefore() + this.#others.ofOthers
      },
      left: { stop: left('stop'), mutation: left('mutation'), read: left('read') },
      kept: this.#kept(),
      pausedForMs: this.pausedForMs()
    }
  }

  /** Tenants that have used most of it, the greediest first. */
  tenants(): TenantUse[] {
    this.#now()
    return tenantUses(this.#shares)
  }

  /** Sums up, for the next process, the calls that the vendor still counts. */
  spent(): Spent[] {
    const nowMs = this.#now()
    const underWay = { calls: this.#inFlight, untilMs: nowMs + this.#options.deadlineMs + this.#windowMs }
    return this.#steps.with([...(this.#inFlight > 0 ? [underWay] : []), ...this.#others.before])
  }

  #check({ tenantId, isBackground }: Errand, priority: 'read' | 'mutation', nowMs: number): void {
    const pausedForMs = this.#pause.leftMs(nowMs)
    if (pausedForMs > 0) throw new UpstreamThrottled(inMs(pausedForMs))
    const kept = isBackground ? Math.ceil(this.#quota() * readReserve) : 0
    const free = this.#free(priority, nowMs) - kept
    const own = this.#shares[priority]
    // Work in the background has no claim on a later call.
    if (isBackground ? free >= 1 : own.mayTake(tenantId, free, free + own.used, nowMs)) return
    throw new UpstreamBudgetExhausted(inMs(this.#freeInMs(1 - free, nowMs)))
  }

  /** Calls of this priority that may still be sent. */
  #free(priority: Priority, nowMs: number): number {
    const quota = this.#quota()
    const { read, background, mutation, stop } = this.#shares
    const others = this.#usedBefore() + this.#others.ofOthers
    const kept = this.#kept()
    const forStops = Math.max(stop.used, kept.stop)
    const forMutations = Math.max(mutation.used, kept.mutation)
    const reads = read.used + background.used
    const left = quota - others - reads
    if (priority === 'stop') return left - mutation.used - stop.used
    if (priority === 'mutation') return left - mutation.used - forStops
    return Math.min(left, this.#lowered(nowMs) - reads) - forMutations - forStops
  }

  #kept(): BudgetStatus['kept'] {
    const quota = this.#quota()
    return { stop: Math.ceil(quota * stopReserve), mutation: Math.round(quota * mutationReserve) }
  }

  /** Time until so many more calls are free, as far as that can be told. */
  #freeInMs(calls: number, nowMs: number): number {
    const next = this.#ended.at(Math.max(0, Math.ceil(calls) - 1))?.untilMs ?? nowMs + this.#windowMs
    return Math.max(marginMs, next - nowMs)
  }

  /** Quota that reads keep to after a 429. For starts and stops the vendor's own pause is enough. */
  #lowered(nowMs: number): number {
    return Math.floor(this.#quota() * this.#pause.factor(nowMs))
  }

  #ownUsed(): number {
    return Object.values(this.#shares).reduce((sum, { used }) => sum + used, 0)
  }

  #usedBefore(): number {
    return this.#options.share?.hasThoseBefore() ? 0 : this.#others.usedBefore()
  }

  /** The quota, or this process's part of it. */
  #quota(): number {
    return this.#options.share?.calls() ?? this.#options.quota.calls
  }

  /** The time, after everything that has left the window by then is forgotten. */
  #now(): number {
    const nowMs = this.#options.clock.monotonic()
    for (const list of [this.#ended, this.#lost]) {
      for (const { share, tenantId, untilMs } of list.until(nowMs)) {
        share.release(tenantId)
        this.#steps.count({ calls: -1, untilMs })
      }
    }
    this.#others.forget(nowMs)
    return nowMs
  }
}

function inMs(waitMs: number) {
  return { retryAfterSeconds: Math.ceil(waitMs / 1_000) }
}
