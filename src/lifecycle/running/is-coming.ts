import { isOverOrComing, type Livestream } from '../../domain/livestream.ts'
import type { LivestreamOwner, Livestreams } from '../../store/tables/livestreams.ts'

export interface IsComingDeps {
  livestreams: Pick<Livestreams, 'lastSeenIn' | 'unseenForMs'>
  settleMs: number
}

/**
 * Whether the run of a livestream is yet to come, where the vendor's word for that is the one for a run that has ended too. The run
 * that was seen last, as INVOKED and not as LIVE or ended since, counts as coming for `settleMs`. After that the vendor's word
 * stands, since another client may have ended it.
 */
export type IsComing = (
  owner: Pick<LivestreamOwner, 'id' | 'upstream' | 'meetingId'>,
  livestream: Livestream
) => Promise<boolean>

export function isComing({ livestreams, settleMs }: IsComingDeps): IsComing {
  return async ({ id, upstream, meetingId }, { status }) => {
    if (!isOverOrComing(status) || meetingId === null) return false
    const last = await livestreams.lastSeenIn({ id: meetingId, upstream }).catch(() => null)
    if (last?.id !== id || last.status !== 'INVOKED') return false
    return livestreams.unseenForMs(last) < settleMs
  }
}
