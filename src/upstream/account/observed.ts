/** Facts about a vendor account that its answers have shown: its clock, and its habits. */
import { type Static, Type } from 'typebox'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Clock } from '../../domain/values/clock.ts'

/** Difference from which on the vendor's clock was set, or ours ran at another pace. */
const steppedMs = 1_500
/** A `Date` has whole seconds. */
const secondMs = 1_000
const marginMs = 50

/**
 * The vendor's clock, from the `Date` of its answers: what the vendor dates is compared with its own clock. A `Date` has whole
 * seconds and an answer takes its time, so each one says a little less than it was; the one that says most is believed. A step needs
 * two answers that agree: one alone may be a mistake. Those that step it back must follow each other, since
 * what comes from a cache is old, and never new. While our clock agrees with it to the second, `earliest` is ours, which is more exact.
 */
export class VendorClock {
  readonly #clock: Clock
  #aheadMs: number | null = null
  /** Answers that contradict those before, one to either side. */
  #once: { later: number | null; earlier: number | null } = { later: null, earlier: null }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  heard(dateMs: number): void {
    const aheadMs = dateMs - this.#clock.monotonic()
    const known = this.#aheadMs
    if (known === null || isNear(aheadMs, known)) {
      this.#aheadMs = Math.max(aheadMs, known ?? aheadMs)
      this.#once.earlier = null
      return
    }
    const side = aheadMs > known ? 'later' : 'earlier'
    const before = this.#once[side]
    if (before !== null && isNear(aheadMs, before)) {
      this.#aheadMs = Math.max(aheadMs, before)
      this.#once = { later: null, earlier: null }
    } else this.#once[side] = aheadMs
  }

  /** Epoch ms; null before the first answer. The vendor's clock is not before `earliest` and not after `latest`. */
  now(bound: 'earliest' | 'latest'): number | null {
    if (this.#aheadMs === null) return null
    const earliestMs = this.#aheadMs + this.#clock.monotonic()
    const oursMs = this.#clock.now()
    const agrees = oursMs >= earliestMs - marginMs && oursMs <= earliestMs + secondMs + marginMs
    if (bound === 'earliest') return Math.floor(agrees ? oursMs : earliestMs)
    return Math.ceil(Math.max(earliestMs + secondMs, agrees ? oursMs : 0))
  }
}

function isNear(aheadMs: number, knownMs: number): boolean {
  return Math.abs(aheadMs - knownMs) <= steppedMs
}

/** Habits that an account has shown. Kept over a restart (`quota-file.ts`), but for how it counts. */
export interface VendorHabits {
  /** Whether it has refused a second start with 409: then one look at its lists is enough before a start. */
  readonly refusesSecondStart: boolean
  noteSecondStartRefused(): void
  /** Whether it has answered 5xx three times for a meeting with nothing live, while its lists could be read. Then they are asked first, for an hour. */
  readonly failsWhenNothingIsLive: boolean
  noteFailedWhenNothingWasLive(): void
  /** Notes that it has said as it should that nothing is live: for an hour a failure is the matter of one meeting, and no habit. */
  noteSaidNothingIsLive(): void
  /** Whether it has counted more in a list than it showed on the page, within the last hour: its counts are of all pages. */
  readonly countsBeyondPage: boolean
  noteCountedBeyondPage(): void
}

/** The habits as they are kept over a restart. */
export const KeptHabits = Type.Object({
  /** The vendor that has them: another address may have others. */
  of: Type.String({ maxLength: 300 }),
  refusesSecondStart: Type.Boolean(),
  /** Time for which it is still believed that a look fails where nothing is live. */
  failsForMs: Type.Number({ minimum: 0 })
})
export type KeptHabits = Static<typeof KeptHabits>

/** A vendor must have failed so many times where nothing was live, and is believed to for so long. */
const failuresToBelieve = 3
const believedForMs = 3_600_000

/** Names a vendor without its path, which may have ids of the account in it. */
function vendorOf({ provider, baseUrl }: Pick<UpstreamAccount, 'provider' | 'baseUrl'>): string {
  return `${provider} ${baseUrl.host}`
}

export interface HabitsOptions {
  account: Pick<UpstreamAccount, 'provider' | 'baseUrl'>
  clock: Pick<Clock, 'monotonic'>
  /** Habits that were known before; those of another vendor count as nothing. */
  before?: KeptHabits | undefined
}

/** The habits that one account has shown. */
export class Habits implements VendorHabits {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #of: string
  #refusesSecondStart: boolean
  #failures = 0
  #failedAtMs = 0
  #countedAtMs = Number.NEGATIVE_INFINITY
  #saidNothingAtMs = Number.NEGATIVE_INFINITY

  constructor({ account, clock, before }: HabitsOptions) {
    this.#clock = clock
    this.#of = vendorOf(account)
    const known = before?.of === this.#of ? before : null
    this.#refusesSecondStart = known?.refusesSecondStart ?? false
    const failsForMs = Math.min(known?.failsForMs ?? 0, believedForMs)
    if (failsForMs > 0) {
      this.#failures = failuresToBelieve
      this.#failedAtMs = clock.monotonic() + failsForMs - believedForMs
    }
  }

  get refusesSecondStart(): boolean {
    return this.#refusesSecondStart
  }

  noteSecondStartRefused(): void {
    this.#refusesSecondStart = true
  }

  get failsWhenNothingIsLive(): boolean {
    return this.kept().failsForMs > 0
  }

  noteFailedWhenNothingWasLive(): void {
    const nowMs = this.#clock.monotonic()
    if (nowMs - this.#saidNothingAtMs < believedForMs) return
    if (nowMs - this.#failedAtMs >= believedForMs) this.#failures = 0
    this.#failures += 1
    this.#failedAtMs = nowMs
  }

  noteSaidNothingIsLive(): void {
    this.#failures = 0
    this.#saidNothingAtMs = this.#clock.monotonic()
  }

  get countsBeyondPage(): boolean {
    return this.#clock.monotonic() - this.#countedAtMs < believedForMs
  }

  noteCountedBeyondPage(): void {
    this.#countedAtMs = this.#clock.monotonic()
  }

  kept(): KeptHabits {
    const leftMs = this.#failedAtMs + believedForMs - this.#clock.monotonic()
    return {
      of: this.#of,
      refusesSecondStart: this.#refusesSecondStart,
      failsForMs: this.#failures >= failuresToBelieve ? Math.max(0, leftMs) : 0
    }
  }
}

/** The habits in words for people; none of a vendor that has shown none. */
export function inWords({ refusesSecondStart, failsForMs }: Omit<KeptHabits, 'of'>): string[] {
  return [
    ...(refusesSecondStart ? ['refuses a second start with 409'] : []),
    ...(failsForMs > 0 ? ['fails where nothing is live, so its lists are asked first'] : [])
  ]
}
