import { UpstreamUnavailable } from '../domain/failures.ts'
import { isOver, isRunning, type LivestreamWithKey } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Livestreams } from '../store/livestreams.ts'
import type { Lane, Provider, Upstreams } from '../upstream/provider.ts'
import type { IsComing } from './coming.ts'
import type { Observe } from './observe.ts'

export interface ActiveDeps {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastOfMeeting'>
  observe: Observe
  isComing: IsComing
}

/**
 * The meeting's active livestream as the vendor shows it right now, or null; asked in that lane of the quota. A vendor may hide a run that is INVOKED but not
 * yet LIVE (contract section 11, question 4): then our last run of this meeting is asked for by its own id.
 */
export type FindActive = (meeting: OwnedMeeting, lane: Lane, signal: AbortSignal) => Promise<LivestreamWithKey | null>

export function findActive({ upstreams, livestreams, observe, isComing }: ActiveDeps): FindActive {
  return async (meeting, lane, signal) => {
    const provider = providerOf(upstreams, meeting, lane)
    const { id: meetingId, tenantId, upstream } = meeting
    const keep = (livestream: LivestreamWithKey) =>
      observe({ id: livestream.id, tenantId, upstream, meetingId }, livestream)

    const active = await provider.findActive(meetingId, signal)
    if (active !== null) {
      await keep(active)
      // A vendor might show the last run as the active one: over is over.
      return isOver(active.status) ? null : active
    }

    // A store that can't be read must not hold a read back: then the vendor's word stands.
    const last = await livestreams.lastOfMeeting(tenantId, meetingId).catch(() => null)
    if (last === null || !isRunning(last.status)) return null
    const found = await provider.findLivestream(last.id, { pageNo: 1, perPage: 1 }, signal)
    // An answer may leave the meeting out; another meeting's run is not this one's.
    if (found === null || (found.livestream.meeting_id ?? meetingId) !== meetingId) return null
    const coming = await isComing({ id: last.id, tenantId, meetingId }, found.livestream)
    const livestream = { ...found.livestream, meeting_id: meetingId, ...(coming && { status: 'INVOKED' }) }
    await keep(livestream)
    return isRunning(livestream.status) ? livestream : null
  }
}

/** The vendor that a tenant's meeting or livestream is at. @throws UpstreamUnavailable when the configuration has no such upstream */
export function providerOf(
  upstreams: Upstreams,
  { upstream, tenantId }: { upstream: string; tenantId: string },
  lane: Lane
): Provider {
  const known = upstreams.get(upstream)
  if (known === undefined) {
    const cause = new Error(`no upstream is called ${upstream}`)
    const message =
      'The livestream provider that this belongs to is not configured: the operator of the gateway must look'
    throw new UpstreamUnavailable({ cause, message, ...(lane !== 'read' && { outcome: 'not_sent' }) })
  }
  return known.on({ tenantId, lane })
}
