import { isRunning, type LivestreamWithKey, type OwnedLivestream } from '../../domain/livestream.ts'
import type { LivestreamWithSessions } from '../../upstream/provider.ts'
import type { EndingRuns } from './ending-runs.ts'

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
