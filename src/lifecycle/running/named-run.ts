import { isSameId } from '../../domain/id.ts'
import type { Livestream, LivestreamSession } from '../../domain/livestream.ts'
import type { Run } from '../../domain/run.ts'
import { vendorTimeMs } from '../../domain/values/vendor-time.ts'
import type { Provider } from '../../upstream/provider.ts'
import { beginOf, runsPerPage, withNewest } from './verdict.ts'

/** The clock that dates runs may be so far from ours. */
const clocksApartMs = 10_000

/**
 * Whether the livestream that is live in a run's meeting now shows that run, and not a later one: a stop of the meeting would end whatever
 * is live. `unclear`: the vendor does not show its newest sessions. @throws what a Provider throws
 */
export async function showsRun(
  run: Run,
  shown: Pick<Livestream, 'id'>,
  provider: Pick<Provider, 'findLivestream'>,
  signal: AbortSignal
): Promise<boolean | 'unclear'> {
  if (run.livestreamId !== null && !isSameId(run.livestreamId, shown.id)) return false
  const found = await provider.findLivestream(shown.id, { pageNo: 1, perPage: runsPerPage }, signal)
  if (found === null) return 'unclear'
  const { sessions, areNewest } = await withNewest(provider, found, signal)
  return areNewest ? isItsOwn(run, sessions) : 'unclear'
}

function isItsOwn(run: Run, sessions: readonly LivestreamSession[]): boolean {
  const goingOn = sessions.filter(({ stopped_time }) => stopped_time == null)
  // Without a session nothing but the livestream tells.
  if (sessions.length === 0) return true
  if (goingOn.length === 0) return false
  if (run.sessionId !== null) return goingOn.some(({ id }) => id === run.sessionId)
  // The first session since the run began is its own.
  const sinceMs = (run.invokedAtMs ?? run.createdAtMs) - clocksApartMs
  const beganMs = (session: LivestreamSession): number => vendorTimeMs(beginOf(session)) || 0
  const [first] = sessions.filter(one => beganMs(one) >= sinceMs).sort((a, b) => beganMs(a) - beganMs(b))
  return first === undefined || first.stopped_time == null
}
