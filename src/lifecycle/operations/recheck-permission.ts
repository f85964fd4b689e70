import { type Caller, keyRefusal } from '../../domain/caller.ts'
import type { OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { LivestreamNotFound, MeetingNotFound, TenantSuspended } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { Upstreams } from '../../upstream/provider.ts'

/**
 * Asks again what was proved when the call came in, for a call that has waited. Meanwhile its key may have been revoked, its
 * tenant suspended, or its meeting given to another tenant.
 * @throws Unauthorized, KeyExpired, KeyRevoked, TenantSuspended, MeetingNotFound
 */
export type RecheckPermission = (caller: Caller, meeting: OwnedMeeting, kind: 'start' | 'stop') => Promise<void>

export function recheckPermission({
  directory,
  holds,
  clock
}: {
  directory: Directory
  holds: Holds
  clock: Clock
}): RecheckPermission {
  return async (caller, meeting, kind) => {
    const refusal = keyRefusal(directory.keyByDigest(caller.key.digest), clock.now(), unsent)
    if (refusal !== null) throw refusal
    if (kind === 'start' && directory.tenant(caller.tenant.id)?.suspended) throw new TenantSuspended(unsent)
    // A stop goes on without a store, and then without its word on who holds the meeting.
    const isHeld = kind === 'stop' ? await holds(meeting).catch(() => true) : await isStillThere(directory, meeting)
    if (!isHeld) throw new MeetingNotFound(unsent)
  }
}

/** A start is sent to the vendor account that the meeting is at now; a stop also to the one where it was. */
async function isStillThere(directory: Directory, { tenantId, id, upstream }: OwnedMeeting): Promise<boolean> {
  return (await directory.meeting(tenantId, id))?.upstream === upstream
}

/** Asks again for a livestream that is known by its own id. @throws Unauthorized, KeyExpired, KeyRevoked, TenantSuspended, LivestreamNotFound */
export type RecheckSwitchPermission = (caller: Caller, livestream: OwnedLivestream) => Promise<void>

export function recheckSwitchPermission({
  directory,
  clock
}: {
  directory: Directory
  clock: Clock
}): RecheckSwitchPermission {
  return async (caller, livestream) => {
    const refusal = keyRefusal(directory.keyByDigest(caller.key.digest), clock.now(), unsent)
    if (refusal !== null) throw refusal
    if (directory.tenant(caller.tenant.id)?.suspended) throw new TenantSuspended(unsent)
    if ((await directory.livestream(caller.tenant.id, livestream.id)) === null) throw new LivestreamNotFound(unsent)
  }
}

/** Says that nothing was sent: a call that has joined one that may not go on takes its place. */
const unsent = { outcome: 'not_sent' } as const

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
