import { isRunning, type Livestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Statement } from '../../store/engine/engine.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'

/**
 * Statements that keep the run of this meeting as over that was seen last: its stop is confirmed, or two looks have shown nothing. A
 * later look may tell how it ended.
 */
export function endedRun(
  livestreams: Pick<Livestreams, 'observed'>,
  { id: meetingId, tenantId, upstream }: OwnedMeeting,
  last: Livestream | null,
  nowMs: number
): Statement[] {
  if (last === null || !isRunning(last.status)) return []
  return livestreams.observed({ id: last.id, tenantId, upstream, meetingId }, { ...last, status: 'IDLE' }, nowMs)
}
