import { LRUCache } from 'lru-cache'
import { isVendorId } from '../../domain/id.ts'
import type { LivestreamSession } from '../../domain/livestream.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { LivestreamOwner } from '../../store/tables/livestreams.ts'
import type { Sessions } from '../../store/tables/sessions.ts'
import { waitBriefly } from '../reads/wait-briefly.ts'

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
      log.warn({ err, livestream_id: owner.id }, 'what was seen of the runs of a livestream could not be kept')
    }
  }

  return (owner, runs) => waitBriefly(keep(owner, runs))
}

function endOf({ stopped_time, ingest_seconds, viewer_seconds }: LivestreamSession): string {
  return stopped_time == null ? 'goes on' : [stopped_time, ingest_seconds, viewer_seconds].join(' ')
}
