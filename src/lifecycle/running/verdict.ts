import type { LivestreamSession } from '../../domain/livestream.ts'
import { vendorTimeMs } from '../../domain/values/vendor-time.ts'
import type { ConfirmedStop, Verdict } from './confirmed-stop.ts'
import { beginOf } from './newest-runs.ts'

/** The vendor's clock now: it is not before `earliestMs`, and not after `latestMs`. Null before it has told. */
export interface VendorNow {
  earliestMs: number | null
  latestMs: number | null
}

/** A vendor whose clock differs from before by more than this is believed no more. */
const clockStepMs = 2_000
/** The clock that dates runs may be so far behind that of the answers. */
const clocksApartMs = 10_000
/** A `Date` has whole seconds. */
const secondMs = 1_000

/**
 * Whether runs of a livestream show the one that was stopped. Remembers in `stop`, for the next look, which session that is.
 * @param areNewest the newest runs are among them
 * @param ageMs since the vendor has confirmed the stop
 */
export function verdictOf(
  stop: Pick<ConfirmedStop, 'dateMs' | 'sessionId'>,
  sessions: LivestreamSession[],
  { areNewest, ageMs, now }: { areNewest: boolean; ageMs: number; now: VendorNow }
): Verdict {
  const session = goingOn(sessions, areNewest)
  if (session === undefined) return 'maybe'
  // A run that is over, or is shown beside others that are not, proves nothing about the one that goes on.
  const ending = areNewest && session.stopped_time == null ? 'ending' : 'likely'
  if (session.id === stop.sessionId) return ending
  const beganAtMs = vendorTimeMs(beginOf(session))
  if (stop.dateMs === null || Number.isNaN(beganAtMs)) return 'maybe'
  const confirmed = confirmedAt(stop.dateMs, ageMs, now)
  if (beganAtMs < confirmed.earliestMs) {
    // The one that ended before it, and not long before the stop, may be the one that was stopped.
    const endsOfOthers = sessions.map(({ stopped_time }) => vendorTimeMs(stopped_time))
    if (endsOfOthers.some(endMs => endMs >= confirmed.earliestMs - clocksApartMs && endMs <= beganAtMs)) return 'likely'
    stop.sessionId = session.id
    return ending
  }
  // Within that second both are possible. A begin in the future tells nothing.
  if (beganAtMs < confirmed.latestMs + secondMs || beganAtMs > (now.latestMs ?? Number.POSITIVE_INFINITY))
    return 'maybe'
  // A run goes on air long after it began: that alone does not make it a newer one.
  return session.invoked_time == null ? 'maybe' : 'newer'
}

/** When the vendor has confirmed the stop, as it told then and as it tells now: its clock may have been set since. */
function confirmedAt(
  dateMs: number,
  ageMs: number,
  { earliestMs }: VendorNow
): { earliestMs: number; latestMs: number } {
  const toldMs = earliestMs === null ? dateMs : earliestMs - ageMs
  if (Math.abs(toldMs - dateMs) <= clockStepMs) return { earliestMs: dateMs, latestMs: dateMs }
  return { earliestMs: Math.min(dateMs, toldMs), latestMs: Math.max(dateMs, toldMs) }
}

/** The session without an end, else the one that began last, where the newest are there. */
function goingOn(sessions: LivestreamSession[], areNewest: boolean): LivestreamSession | undefined {
  const beganAtMs = (session: LivestreamSession): number => vendorTimeMs(beginOf(session)) || 0
  const newestFirst = sessions.toSorted((a, b) => beganAtMs(b) - beganAtMs(a))
  return newestFirst.find(({ stopped_time }) => stopped_time == null) ?? (areNewest ? newestFirst[0] : undefined)
}
