import { isSameId } from '../../domain/id.ts'
import type { Livestream, LivestreamSession } from '../../domain/livestream.ts'
import type { Run, StoppedNews } from '../../domain/runs/run.ts'
import { isOpenRun } from '../../domain/runs/run-moves.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { vendorTimeMs } from '../../domain/values/vendor-time.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { Provider } from '../../upstream/provider.ts'
import type { Sightings } from '../ledger/sightings.ts'
import { beginOf, runsPerPage, withNewest } from './verdict.ts'

export interface NamedRunDeps {
  /** Hear of a run that is over, so that it is not asked for again. */
  sightings: Pick<Sightings, 'seen'>
  clock: Pick<Clock, 'monotonic'>
}

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
  signal: AbortSignal,
  { sightings, clock }: NamedRunDeps
): Promise<boolean | 'unclear'> {
  const askedAtMs = clock.monotonic()
  const id = run.livestreamId ?? shown.id
  const found = await provider.findLivestream(id, { pageNo: 1, perPage: runsPerPage }, signal)
  if (found === null) return isSameId(id, shown.id) ? 'unclear' : false
  const { sessions, areNewest } = await withNewest(provider, found, signal)
  if (!areNewest) return 'unclear'
  const own = ownSession(run, sessions)
  const isIts = isSameId(id, shown.id) && (sessions.length === 0 || own === undefined || own.stopped_time == null)
  if (isIts) return true
  const owner = { id, tenantId: run.tenantId, upstream: run.upstream, meetingId: run.meetingId }
  // First its own session, which is over: then the one that goes on is another run.
  if (own !== undefined) await sightings.seen(owner, found.livestream, { askedAtMs, sessions: [own], areNewest })
  await sightings.seen(owner, found.livestream, { askedAtMs, sessions, areNewest })
  return false
}

/**
 * Whether a run goes on behind the livestream that is shown, as its row says after that look: a vendor may run two of one meeting at once.
 * @throws what the store throws
 */
export async function goesOnBehind(
  { id }: Run,
  shown: Pick<Livestream, 'id'>,
  runs: Pick<BroadcastRuns, 'get'>
): Promise<boolean> {
  const run = await runs.get(id)
  return run !== null && isOpenRun(run) && run.livestreamId !== null && !isSameId(run.livestreamId, shown.id)
}

/** News of a run whose meeting was taken from its tenant, which has the run no longer. */
export function taken({ tenantId, upstream, meetingId, livestreamId, id }: Run, atMs: number): StoppedNews {
  const place = { tenantId, upstream, meetingId, livestreamId: livestreamId ?? id }
  return { kind: 'stopped', ...place, endedBy: 'operator', atMs }
}

/** The session that is this run's, or the first one since it began. */
function ownSession(run: Run, sessions: readonly LivestreamSession[]): LivestreamSession | undefined {
  if (run.sessionId !== null) return sessions.find(({ id }) => id === run.sessionId)
  const sinceMs = (run.invokedAtMs ?? run.createdAtMs) - clocksApartMs
  const beganMs = (session: LivestreamSession): number => vendorTimeMs(beginOf(session)) || 0
  return sessions.filter(one => beganMs(one) >= sinceMs).sort((a, b) => beganMs(a) - beganMs(b))[0]
}
