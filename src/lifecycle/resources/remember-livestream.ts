import { type LivestreamWithKey, withoutKey } from '../../domain/livestream.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { LivestreamOwner, Livestreams } from '../../store/tables/livestreams.ts'
import { waitBriefly } from '../reads/wait-briefly.ts'

export interface RememberLivestreamDeps {
  livestreams: Pick<Livestreams, 'observe' | 'prove'>
  directory: Pick<Directory, 'livestream' | 'forget'>
  log: { warn(facts: object, message: string): void }
  clock: Clock
}

/**
 * Keeps how a livestream was seen just now. A new one is thereby known to its tenant before the answer that shows it goes out,
 * unless the disk is slow. A livestream that has not changed costs nothing. Never throws: the next look repeats it.
 */
export type RememberLivestream = (owner: LivestreamOwner, livestream: LivestreamWithKey) => Promise<void>

export function rememberLivestreamIn({
  livestreams,
  directory,
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
      log.warn({ err, livestream_id: owner.id }, 'what was seen of a livestream could not be kept')
    }
  }
  return (owner, livestream) => waitBriefly(keep(owner, livestream))
}
