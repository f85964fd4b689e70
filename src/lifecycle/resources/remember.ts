import { LRUCache } from 'lru-cache'
import { isVendorId } from '../../domain/id.ts'
import {
  isRunning,
  type LivestreamSession,
  type LivestreamWithKey,
  type OwnedLivestream,
  withoutKey
} from '../../domain/livestream.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { LivestreamOwner, Livestreams } from '../../store/tables/livestreams.ts'
import type { Sessions } from '../../store/tables/sessions.ts'
import type { LivestreamWithSessions } from '../../upstream/provider.ts'
import { waitBriefly } from '../context.ts'
import type { Look, Sightings } from '../ledger/sightings.ts'
import type { EndingRuns } from '../running/ending-runs.ts'

export interface RememberLivestreamDeps {
  livestreams: Pick<Livestreams, 'observe' | 'prove'>
  directory: Pick<Directory, 'livestream' | 'forget'>
  sightings: Pick<Sightings, 'seen'>
  log: { warn(facts: object, message: string): void }
  clock: Clock
}

/**
 * Keeps how a livestream was seen just now. A new one is thereby known to its tenant before the answer that shows it goes out,
 * unless the disk is slow. A livestream that has not changed costs nothing. The ledger hears of each look. Never throws: the next look
 * repeats it.
 */
export type RememberLivestream = (owner: LivestreamOwner, livestream: LivestreamWithKey, look: Look) => Promise<void>

export function rememberLivestreamIn({
  livestreams,
  directory,
  sightings,
  log,
  clock
}: RememberLivestreamDeps): RememberLivestream {
  async function keep(owner: LivestreamOwner, livestream: LivestreamWithKey): Promise<void> {
    try {
      const known = await directory.livestream(owner.tenantId, owner.id)
      const isAsKnown = known?.meetingId === owner.meetingId && known.status === livestream.status
      if (isAsKnown && (known.isProved || !owner.isProved)) return
      // One that looks as before was not seen anew: since when it does tells whether its run is still to come.
      if (isAsKnown) await livestreams.prove(owner, clock.now())
      else await livestreams.observe(owner, withoutKey(livestream), clock.now())
      directory.forget(owner.id)
    } catch (err) {
      log.warn(
        { event: 'sighting_not_kept', err, livestream_id: owner.id },
        'what was seen of a livestream could not be kept'
      )
    }
  }
  return async (owner, livestream, look) => {
    await Promise.all([waitBriefly(keep(owner, livestream)), sightings.seen(owner, livestream, look)])
  }
}

export interface RememberRunsDeps {
  engine: Pick<Engine, 'write'>
  sessions: Pick<Sessions, 'runSeen'>
  log: { warn(facts: object, message: string): void }
  clock: Clock
}

/**
 * Makes the runs of an answer known to the tenant before the answer goes out, unless the disk is slow, and keeps their figures.
 * Those of a run that goes on are written once a minute at most. Never throws: the next look repeats it.
 */
export type RememberRuns = (owner: LivestreamOwner, runs: LivestreamSession[]) => Promise<void>

export function rememberRunsIn({ engine, sessions, log, clock }: RememberRunsDeps): RememberRuns {
  const kept = new LRUCache<string, string>({ ...upTo(20_000), ttl: 60_000 })

  async function keep(owner: LivestreamOwner, runs: LivestreamSession[]): Promise<void> {
    // No tenant id has a slash.
    const keyOf = ({ id }: LivestreamSession): string => `${owner.tenantId}/${id}`
    const news = runs.filter(run => isVendorId(run.id) && kept.get(keyOf(run)) !== endOf(run))
    if (news.length === 0) return
    try {
      await engine.write(news.map(run => sessions.runSeen(owner, run, clock.now())))
      for (const run of news) kept.set(keyOf(run), endOf(run))
    } catch (err) {
      log.warn(
        { event: 'sighting_not_kept', err, livestream_id: owner.id },
        'what was seen of the runs of a livestream could not be kept'
      )
    }
  }

  return (owner, runs) => waitBriefly(keep(owner, runs))
}

function endOf({ stopped_time, ingest_seconds, viewer_seconds }: LivestreamSession): string {
  return stopped_time == null ? 'goes on' : [stopped_time, ingest_seconds, viewer_seconds].join(' ')
}

/**
 * A livestream as readers may see it, and as it is kept: one whose run was stopped is over, though the vendor still shows it.
 * @param pageNo of the runs that are shown with it
 */
export function withoutEnding(
  endingRuns: Pick<EndingRuns, 'showEnding'>,
  { meetingId, upstream }: Pick<OwnedLivestream, 'meetingId' | 'upstream'>,
  { livestream, sessions, paging }: LivestreamWithSessions,
  pageNo = 1
): LivestreamWithKey {
  if (meetingId === null || !isRunning(livestream.status)) return livestream
  const areNewest = pageNo === 1 && paging.total_count <= sessions.length
  return endingRuns.showEnding({ id: meetingId, upstream }, sessions, areNewest)
    ? { ...livestream, status: 'IDLE' }
    : livestream
}
