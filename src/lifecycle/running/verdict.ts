import type { LivestreamSession } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { vendorTimeMs } from '../../domain/values/vendor-time.ts'
import type { LivestreamWithSessions, Provider } from '../../upstream/provider.ts'

/** A stop that the vendor has confirmed, and that no start has followed. */
export interface ConfirmedStop {
  readonly meeting: OwnedMeeting
  readonly atMs: number
  /** The vendor's clock when it answered, in whole seconds; null when it has never told. */
  readonly dateMs: number | null
  /** The run that was seen to go on after the stop. */
  sessionId: string | null
  /** The verdict of the last look, shared by all who look at this meeting. */
  look: { atMs: number; verdict: Promise<Verdict> } | null
  /** A look of our own, which follows the stop whoever reads. */
  followUp: NodeJS.Timeout | null
  /** Our own look waits behind those of other meetings. */
  isQueued: boolean
  /** Looks of our own that have shown nothing. */
  quietLooks: number
  isTold: boolean
  /** Another stop, which is open, is to end its run. */
  isRepeated: boolean
}

/**
 * `likely`: a run that is over, one of a part, or one that began when another had ended, says so. That hides what goes on, and
 * is no reason to stop it again. `maybe`: the vendor shows nothing that would tell. `unasked`: it could not be asked. `ending`
 * alone is proof.
 */
export type Verdict = 'ending' | 'likely' | 'newer' | 'maybe' | 'unasked'

/** So long ago a stop may be that is still looked after when the gateway comes back. */
export const followedForMs = 3_600_000

/** A confirmed stop as the store remembers it after a restart. */
export interface Recalled {
  agoMs: number
  /** The vendor's clock when it was confirmed; at the earliest, where only its sending is known. */
  dateMs: number | null
  /** It is not looked after before that. */
  followInMs: number
  /** Another replica looks after it. */
  isOthers?: boolean
}

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
export function goingOn(sessions: LivestreamSession[], areNewest: boolean): LivestreamSession | undefined {
  const beganAtMs = (session: LivestreamSession): number => vendorTimeMs(beginOf(session)) || 0
  const newestFirst = sessions.toSorted((a, b) => beganAtMs(b) - beganAtMs(a))
  return newestFirst.find(({ stopped_time }) => stopped_time == null) ?? (areNewest ? newestFirst[0] : undefined)
}

/** Runs of a livestream that one call asks for. */
export const runsPerPage = 50

/**
 * The runs of a livestream with the newest among them, as far as the vendor shows those. Nothing says in which order it has them: what
 * does not fit into a page may be the newest, which are then on the last one.
 */
export async function withNewest(
  provider: Pick<Provider, 'findLivestream'>,
  { livestream, sessions, paging }: LivestreamWithSessions,
  signal: AbortSignal
): Promise<{ sessions: LivestreamSession[]; areNewest: boolean }> {
  const total = paging.total_count
  if (total <= sessions.length) return { sessions, areNewest: true }
  // The vendor may give fewer a page than it was asked for.
  const perPage = Math.max(1, sessions.length)
  const last = await provider.findLivestream(livestream.id, { pageNo: Math.ceil(total / perPage), perPage }, signal)
  const others = (last?.sessions ?? []).filter(({ id }) => sessions.every(one => one.id !== id))
  // An answer that has the same page again, or none, was not the last page.
  return { sessions: [...sessions, ...others], areNewest: others.length > 0 }
}

/** When a run began, as far as the vendor tells. */
export function beginOf({ invoked_time, started_time, created_at }: LivestreamSession): string | null | undefined {
  return invoked_time ?? started_time ?? created_at
}
