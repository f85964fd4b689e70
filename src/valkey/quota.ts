import { randomUUID } from 'node:crypto'
import type { QuotaShare } from '../domain/quota-share.ts'
import { Loop, type Timing } from '../domain/values/clock.ts'
import type { Quota } from '../domain/values/quota.ts'
import type { Valkey } from './link.ts'
import { quotaKey } from './scripts.ts'

export interface SharedQuotaOptions {
  valkey: Valkey
  upstream: string
  quota: Quota
  /** A call without an answer may still arrive at the vendor for so long. */
  deadlineMs: number
  /** Milliseconds that never run backwards. */
  monotonic(): number
  /** Time as its loop needs it (a test). */
  timing?: Timing
}

/** Calls that this replica may have counted at the same time, and until when it knows that, on the monotonic clock. */
interface Lease {
  calls: number
  untilMs: number
}

/** A lease is renewed so many times while it lasts. */
const renewals = 5
const often = { leastMs: 50, mostMs: 1_000, perWindow: 20 }
const shortestLeaseMs = 1_000
/** Clocks tick in their own ways. */
const marginMs = 50
/** After an answer that nothing is left, nobody asks again so soon. */
const askAgainMs = 50
/** Part of an even share that is free for what may come next. */
const headroomPart = 0.25
const state = { usual: 0, leaving: 2 }

/**
 * A replica's part of a vendor's quota: a lease of so many calls that may count at the same time. The leases of all replicas, with
 * those of the dead until none of their calls can count, are never more than the quota. Without Valkey a replica goes on with an even
 * share, as soon as what others sent with a larger part counts no more.
 */
export class SharedQuota implements QuotaShare {
  readonly #options: SharedQuotaOptions
  readonly #id = randomUUID()
  readonly #lastsMs: number
  /** Time for which a call may count after the end of the lease that it was sent under. */
  readonly #countsMs: number
  readonly #loop: Loop
  readonly #begunAtMs: number
  #lease: Lease | null = null
  #others = 0
  #areOthersShort = false
  #isWanted = false
  #seq = 0
  #shortAtMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | null = null
  #counted: () => number = () => 0

  constructor(options: SharedQuotaOptions) {
    this.#options = options
    const windowMs = options.quota.seconds * 1_000
    const everyMs = Math.min(often.mostMs, Math.max(often.leastMs, windowMs / often.perWindow))
    this.#lastsMs = Math.max(shortestLeaseMs, renewals * everyMs)
    this.#countsMs = windowMs + options.deadlineMs + marginMs
    this.#begunAtMs = options.monotonic()
    this.#loop = new Loop({ round: () => this.#ask(), everyMs, ...(options.timing && { timing: options.timing }) })
  }

  calls(): number {
    const nowMs = this.#options.monotonic()
    const even = this.#even()
    if (this.#lease === null) return nowMs < this.#begunAtMs + this.#lastsMs + this.#countsMs ? 0 : even
    const { calls, untilMs } = this.#lease
    if (nowMs < untilMs) return calls
    return nowMs < untilMs + this.#countsMs ? Math.min(calls, even) : even
  }

  ofOthers(): number {
    return this.#others
  }

  hasThoseBefore(): boolean {
    return this.#lease !== null
  }

  more(): Promise<void> | null {
    this.#isWanted = true
    const { valkey, monotonic } = this.#options
    if (valkey.session === null || monotonic() - this.#shortAtMs < askAgainMs) return null
    return this.#ask()
  }

  async begin(counted: () => number): Promise<void> {
    this.#counted = counted
    await this.#ask()
    this.#loop.start()
  }

  async close(): Promise<void> {
    await this.#loop.close()
    await this.#asking
    const counted = this.#counted()
    await this.#send(this.calls(), counted, state.leaving)
  }

  #even(): number {
    return Math.floor(this.#options.quota.calls / this.#options.valkey.replicas)
  }

  /** Asks for as much as it needs, once at a time. */
  #ask(): Promise<void> {
    this.#asking ??= this.#renew().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  async #renew(): Promise<void> {
    const { monotonic } = this.#options
    const sentAtMs = monotonic()
    const have = this.calls()
    const want = this.#wanted(have)
    this.#isWanted = false
    // Calls that are given back are out of use from now on: others may have it before the answer comes.
    if (want < have && this.#lease !== null) this.#lease.calls = Math.min(this.#lease.calls, want)
    const answer = await this.#send(have, want, state.usual)
    if (answer === null) return
    const [calls, others, isShort] = answer.map(Number) as [number, number, number]
    this.#lease = { calls, untilMs: sentAtMs + this.#lastsMs }
    this.#others = others
    this.#areOthersShort = isShort === 1
    if (calls < want) this.#shortAtMs = monotonic()
  }

  #wanted(have: number): number {
    const counted = this.#counted()
    const even = this.#even()
    const headroom = Math.max(2, Math.ceil(even * headroomPart))
    const needed = Math.min(this.#options.quota.calls, counted + (this.#isWanted ? 2 : 1) * headroom)
    if (this.#areOthersShort) return Math.max(counted, Math.min(Math.max(needed, have), even))
    // A little more than is needed is kept, so that not every call asks.
    return needed > have || have - needed > 2 * headroom ? needed : have
  }

  async #send(have: number, want: number, how: number): Promise<unknown[] | null> {
    const { valkey, upstream, quota } = this.#options
    this.#seq += 1
    return valkey.ask(
      'lease',
      [quotaKey(upstream)],
      [
        ...[this.#id, this.#seq, have, want, this.#counted(), how],
        ...[quota.calls, this.#lastsMs, this.#countsMs, valkey.replicas]
      ]
    )
  }
}
