/**
 * At most `burst` calls at once, refilled evenly at `calls` per `seconds`. Written `600/60,100`; `600/60` means a burst of 600.
 * A burst may be above `calls`: who rarely calls may then spend what it has not used for longer than `seconds`.
 */
export interface RateLimit {
  readonly calls: number
  readonly seconds: number
  readonly burst: number
}

const daySeconds = 86_400

/**
 * Reads `600/60` or `600/60,100`. Null when the text is something else, a part is zero, calls or burst exceed 1,000,000, or
 * seconds or the time in which the whole burst refills exceed a day: a limit that nobody can have meant.
 */
export function parseRateLimit(text: string): RateLimit | null {
  const [, calls, seconds, burst] = /^([1-9]\d{0,6})\/([1-9]\d{0,4})(?:,([1-9]\d{0,6}))?$/.exec(text) ?? []
  if (calls === undefined || seconds === undefined) return null
  const limit = { calls: Number(calls), seconds: Number(seconds), burst: Number(burst ?? calls) }
  const meant = limit.calls <= 1_000_000 && limit.burst <= 1_000_000 && limit.seconds <= daySeconds
  return meant && refillSeconds(limit) <= daySeconds ? limit : null
}

export function formatRateLimit({ calls, seconds, burst }: RateLimit): string {
  return burst === calls ? `${calls}/${seconds}` : `${calls}/${seconds},${burst}`
}

/** The time in which a spent burst is whole again, in seconds; seldom a whole number of them. */
export function refillSeconds({ calls, seconds, burst }: RateLimit): number {
  return (burst * seconds) / calls
}
