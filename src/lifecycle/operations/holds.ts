import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { Upstreams } from '../../upstream/provider.ts'

export interface HoldsDeps {
  directory: Pick<Directory, 'meeting'>
  meetings: Pick<Meetings, 'upstreamOf'>
  upstreams: Upstreams
}

/**
 * Whether the meeting is the tenant's now. Either the tenant holds it, or it is in an upstream that is dedicated to the tenant,
 * and nobody has ever had it there. A stop of such a meeting has gone on though the vendor could not say whether it has the
 * meeting. At another account the same id is another meeting, and none of this tenant's business. @throws StoreError
 */
export type Holds = (meeting: OwnedMeeting) => Promise<boolean>

export function holder({ directory, meetings, upstreams }: HoldsDeps): Holds {
  return async ({ tenantId, id, upstream }) => {
    if ((await directory.meeting(tenantId, id)) !== null) return true
    return upstreams.get(upstream)?.dedicatedTo === tenantId && (await meetings.upstreamOf(id)) !== upstream
  }
}
