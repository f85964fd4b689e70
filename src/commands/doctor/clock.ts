import { type Check, failed, ok, type Verdict, warning } from './check.ts'

/** The time in a vendor's answer, and the times by our clock of question and answer. */
export interface TimeHeard {
  askedAtMs: number
  heardAtMs: number
  dateMs: number | null
}

const suspiciousMs = 5_000
const wrongMs = 60_000
const adjust = 'let NTP set the clock of this machine'

/** Our clock against the vendor's: times of events, and how old a run is, are compared between the two. */
export function checkClock(upstream: string, { askedAtMs, heardAtMs, dateMs }: TimeHeard): Check {
  const about = { check: 'clock', subject: `the upstream ${upstream}` } as const
  if (dateMs === null) return { ...about, ...warning('the vendor did not say what time it is: not compared') }
  // The vendor cuts off the fraction of its second, and wrote it at any time between question and answer.
  const ahead = Math.max(0, askedAtMs - (dateMs + 1_000))
  const behind = Math.max(0, dateMs - heardAtMs)
  const off = Math.max(ahead, behind)
  if (off < suspiciousMs) return { ...about, ...ok('agrees with ours') }
  const message = `our clock is ${Math.round(off / 1_000)} s ${ahead > 0 ? 'ahead of' : 'behind'} the vendor's: ${adjust}`
  return { ...about, ...byHowMuch(off, message) }
}

/** A clock that was set back would write events that seem older than those before them. */
export function checkAgainstStore(newestEventMs: number | null, nowMs: number): Check[] {
  if (newestEventMs === null) return []
  const about = { check: 'clock', subject: 'the audit log' } as const
  const off = newestEventMs - nowMs
  if (off < suspiciousMs) return [{ ...about, ...ok('its last event is not in the future') }]
  const message = `its last event is ${Math.round(off / 1_000)} s in the future: ${adjust}`
  return [{ ...about, ...byHowMuch(off, message) }]
}

function byHowMuch(offMs: number, message: string): Verdict {
  return offMs >= wrongMs ? failed(message) : warning(message)
}
