/** `calls` in any `seconds`, written `600/60`. */
export interface RateLimit {
  readonly calls: number
  readonly seconds: number
}

/**
 * Reads `600/60`. Null when the text is something else, a part is zero, calls exceed 1,000,000 or seconds exceed a day:
 * a limit that nobody can have meant.
 */
export function parseRateLimit(text: string): RateLimit | null {
  const [, calls, seconds] = /^([1-9]\d{0,6})\/([1-9]\d{0,4})$/.exec(text) ?? []
  if (calls === undefined || seconds === undefined) return null
  const limit = { calls: Number(calls), seconds: Number(seconds) }
  return limit.calls <= 1_000_000 && limit.seconds <= 86_400 ? limit : null
}

export function formatRateLimit({ calls, seconds }: RateLimit): string {
  return `${calls}/${seconds}`
}
