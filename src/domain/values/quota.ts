/** `calls` in any `seconds`, written `2000/60`: what a vendor lets an account do. */
export interface Quota {
  readonly calls: number
  readonly seconds: number
}

/** Least quota: of fewer calls no reserve for stops and starts could be kept. */
const fewestCalls = 10

/** Null when the text is something else, or a quota that no vendor can have meant: beyond a million calls, or a day. */
export function parseQuota(text: string): Quota | null {
  const [, calls, seconds] = /^([1-9]\d{0,6})\/([1-9]\d{0,4})$/.exec(text) ?? []
  const quota = { calls: Number(calls), seconds: Number(seconds) }
  const sensible = quota.calls >= fewestCalls && quota.calls <= 1_000_000 && quota.seconds <= 86_400
  return sensible ? quota : null
}
