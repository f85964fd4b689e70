/** Reasons to hold calls back besides the quota: the breaker, the budget of repeated reads, and the vendor's own pause. */
import { UpstreamUnavailable } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'

export interface BreakerOptions {
  clock: Pick<Clock, 'monotonic'>
  /** A number from 0 to 1, so that replicas don't try in step. */
  random?: () => number
}

/** Failures in a row, with no success between them, that open it. */
const failuresInARow = 5
const shortestMs = 1_000
const longestMs = 30_000
/** A tenant's failure counts for two intervals, in which a trial has told more, and for so long at least. */
const countsAtLeastMs = 3_000

/**
 * Stops asking a vendor that fails: while it is open calls are answered at once, and one of them after each interval is let
 * through as a trial. The interval doubles while trials fail. A stop is let through at any time, and is no trial. A tenant
 * that has seen no failure of late may try besides, one of them a second. A thing that is broken for one need not be for the others.
 * And a tenant that asks all the time must not use up the trials of one that asks now and then.
 */
export class Breaker {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #random: () => number
  #failures = 0
  /** 0: closed. */
  #intervalMs = 0
  #trialAtMs = 0
  /** Tenants that have seen a failure since the last success, and until when the last one counts. */
  readonly #failing = new Map<string, number>()
  /** Time at which one of the others may try. */
  #otherAtMs = 0

  constructor({ clock, random = Math.random }: BreakerOptions) {
    this.#clock = clock
    this.#random = random
  }

  get isOpen(): boolean {
    return this.#intervalMs > 0
  }

  /** Until the next trial, in ms; 0 when calls are let through. */
  get opensInMs(): number {
    return this.isOpen ? Math.max(0, this.#trialAtMs - this.#clock.monotonic()) : 0
  }

  /** True when the call is the trial. @throws UpstreamUnavailable when nothing is to be sent now */
  enter(tenantId: string): boolean {
    this.check(tenantId)
    if (!this.isOpen) return false
    // The call that goes out now may fail as the last one did, and take long to do so.
    if (this.#failing.has(tenantId)) this.#noteFailing(tenantId)
    if (this.opensInMs > 0) {
      this.#otherAtMs = this.#clock.monotonic() + shortestMs
      return false
    }
    // If nothing is heard of it the next one comes an interval later.
    this.#wait()
    return true
  }

  /** The same, but nothing is taken. @throws UpstreamUnavailable */
  check(tenantId: string): void {
    const ownWaitMs = Math.max(this.#failing.get(tenantId) ?? 0, this.#otherAtMs) - this.#clock.monotonic()
    const waitMs = Math.min(this.opensInMs, ownWaitMs)
    if (waitMs > 0) throw new UpstreamUnavailable({ retryAfterSeconds: Math.ceil(waitMs / 1_000) })
  }

  /** The call has told nothing: the next one stands for it. */
  passOn(tenantId: string, isTrial: boolean): void {
    if (isTrial) this.#trialAtMs = this.#clock.monotonic()
    else if (this.isOpen) {
      this.#otherAtMs = this.#clock.monotonic()
      this.#failing.delete(tenantId)
    }
  }

  /** The vendor has answered, whatever it said. */
  succeeded(): void {
    this.#failures = 0
    this.#intervalMs = 0
    this.#otherAtMs = 0
    this.#failing.clear()
  }

  /** @param isTrial true of the trial alone: the others say nothing about the pace of trials */
  failed(tenantId: string, isTrial: boolean): void {
    this.#failures += 1
    if (this.isOpen && isTrial) this.#pauseFor(Math.min(this.#intervalMs * 2, longestMs))
    else if (!this.isOpen && this.#failures >= failuresInARow) this.#pauseFor(shortestMs)
    this.#noteFailing(tenantId)
  }

  #pauseFor(intervalMs: number): void {
    this.#intervalMs = intervalMs
    this.#wait()
  }

  #noteFailing(tenantId: string): void {
    this.#failing.set(tenantId, this.#clock.monotonic() + Math.max(2 * this.#intervalMs, countsAtLeastMs))
  }

  /** Waits for the interval, and at most a second longer. */
  #wait(): void {
    const jitterMs = this.#random() * Math.min(this.#intervalMs / 5, 1_000)
    this.#trialAtMs = this.#clock.monotonic() + this.#intervalMs + jitterMs
  }
}

/** Share of the reads of the last ten seconds that may be sent again. */
const share = 0.1
const seconds = 10

interface Second {
  at: number
  reads: number
  retries: number
}

/** Keeps repeated reads below a tenth of all reads, so that repeating does not press a vendor that is in trouble. */
export class RetryBudget {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #ring: Second[] = Array.from({ length: seconds }, () => ({ at: -1, reads: 0, retries: 0 }))

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** A read that is sent for the first time. */
  countRead(): void {
    this.#now().reads += 1
  }

  /** True, and counted, when one more may be repeated. */
  takeRetry(): boolean {
    const now = this.#now()
    let reads = 0
    let retries = 0
    for (const second of this.#ring) {
      if (second.at <= now.at - seconds) continue
      reads += second.reads
      retries += second.retries
    }
    if (retries + 1 > reads * share) return false
    now.retries += 1
    return true
  }

  #now(): Second {
    const at = Math.floor(this.#clock.monotonic() / 1_000)
    const index = ((at % seconds) + seconds) % seconds
    const known = this.#ring[index]
    if (known?.at === at) return known
    const fresh = { at, reads: 0, retries: 0 }
    this.#ring[index] = fresh
    return fresh
  }
}

/** After a 429 reads believe in half of the quota, and in a tenth more after each window without another. */
const recoveryPerWindow = 0.1
const leastFactor = 0.05

/** The vendor's pause after it has refused a call as one too many, and the part of the quota that is believed in since. */
export class VendorPause {
  readonly #windowMs: number
  #untilMs = Number.NEGATIVE_INFINITY
  #loweredTo = 1
  #loweredAtMs = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  begin(retryAfterMs: number, nowMs: number): void {
    const factor = this.factor(nowMs)
    // Calls that were under way together are refused together: that is one lesson.
    if (this.#untilMs <= nowMs) {
      this.#loweredTo = Math.max(leastFactor, factor / 2)
      this.#loweredAtMs = nowMs + retryAfterMs
    }
    this.#untilMs = Math.max(this.#untilMs, nowMs + retryAfterMs)
  }

  end(): void {
    this.#untilMs = Number.NEGATIVE_INFINITY
  }

  /** The rest of the pause, in ms; 0 when there is none. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs)
  }

  /** The part of the quota that reads may believe in, up to 1. */
  factor(nowMs: number): number {
    const windows = Math.max(0, nowMs - this.#loweredAtMs) / this.#windowMs
    return Math.min(1, this.#loweredTo + windows * recoveryPerWindow)
  }
}
