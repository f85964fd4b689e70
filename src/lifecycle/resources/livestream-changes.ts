import { type Caller, keyRefusal, revealsKey, shownTo } from '../../domain/caller.ts'
import { type LivestreamWithKey, type OwnedLivestream, withoutKey } from '../../domain/livestream.ts'
import { LivestreamNotFound, TenantSuspended } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { LivestreamWish, Provider, Upstreams } from '../../upstream/provider.ts'
import type { MeetingQueue } from '../broadcast/meeting-queue.ts'
import { type Context, providerOf } from '../context.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import type { Done } from '../operations/mutation.ts'
import { subjectOf } from '../reads/shared-reads.ts'
import { isProvedBy, type KnownMeetings, notNew, ofOwner } from './known-meetings.ts'

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
    const refusal = keyRefusal(directory.keyByDigest(caller.key.digest), clock.now(), notSent)
    if (refusal !== null) throw refusal
    if (directory.tenant(caller.tenant.id)?.suspended) throw new TenantSuspended(notSent)
    if ((await directory.livestream(caller.tenant.id, livestream.id)) === null) throw new LivestreamNotFound(notSent)
  }
}

/** Says that nothing was sent: a call that has waited behind another may not go on. */
const notSent = { outcome: 'not_sent' } as const

export interface LivestreamChangesDeps extends Pick<Context, 'changes' | 'clock' | 'deadline'> {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'created' | 'meetingOf' | 'observed'>
  auditTrail: AuditTrail
  knownMeetings: Pick<KnownMeetings, 'beforeChange'>
  /** A queue for each livestream: enabling, disabling and their repetitions (`reconcile-switch.ts`) never cross. */
  queue: Pick<MeetingQueue<never, never>, 'inTurn'>
  recheckSwitchPermission: RecheckSwitchPermission
}

/** Changes that a tenant can make to a livestream that it knows by its own id, with a meeting or without. */
export interface LivestreamChanges {
  /** One without a meeting, which belongs to the caller's tenant. Sent once: a lost answer leaves one that nobody owns. */
  create(caller: Caller, wish: Pick<LivestreamWish, 'name'>): Promise<LivestreamWithKey>
  /** @throws LivestreamNotFound, NotOffered */
  setEnabled(caller: Caller, livestream: OwnedLivestream, enabled: boolean): Promise<LivestreamWithKey>
  /** The livestream with its new key; the one before is worth nothing any more. @throws LivestreamNotFound, NotOffered */
  resetStreamKey(caller: Caller, livestream: OwnedLivestream): Promise<LivestreamWithKey>
}

export function livestreamChanges(deps: LivestreamChangesDeps): LivestreamChanges {
  const {
    upstreams,
    livestreams,
    auditTrail,
    knownMeetings,
    queue,
    recheckSwitchPermission,
    changes,
    clock,
    deadline
  } = deps

  async function changed(
    caller: Caller,
    known: OwnedLivestream,
    kind: 'enable_livestream' | 'disable_livestream' | 'reset_stream_key',
    change: (provider: Provider, signal: AbortSignal) => Promise<LivestreamWithKey>
  ): Promise<LivestreamWithKey> {
    const { id: livestreamId, upstream, meetingId } = known
    const provider = providerOf(upstreams, known, 'mutation')
    const owner = await knownMeetings.beforeChange(known, provider, deadline())
    // The look took its time.
    if (!known.isProved) await recheckSwitchPermission(caller, known)
    const signal = deadline()
    return auditTrail.around({ caller, kind, upstream, meetingId, livestreamId }, async () => {
      // Also when its answer is lost, or late, the livestream may be another one.
      const answered = await change(provider, signal).finally(() => changes.note(subjectOf(owner)))
      const livestream = ofOwner(owner, answered, 'unknown')
      const seen = { ...owner, isProved: isProvedBy(owner, answered) }
      const statements = livestreams.observed(seen, withoutKey(livestream), clock.now())
      return { ...shown(caller, livestream, 200), statements }
    })
  }

  return {
    create(caller, wish) {
      const { id: tenantId, upstream } = caller.tenant
      const signal = deadline()
      return auditTrail.around({ caller, kind: 'create_livestream', upstream, meetingId: null }, async () => {
        const provider = providerOf(upstreams, { upstream, tenantId }, 'mutation')
        const livestream = await provider.createLivestream(wish, signal)
        if ((await livestreams.meetingOf(livestream.id).catch(() => null)) !== null) throw notNew('livestream')
        const owner = { id: livestream.id, tenantId, upstream, meetingId: null }
        const statements = livestreams.created(owner, withoutKey(livestream), clock.now())
        return { ...shown(caller, livestream, 201), statements }
      })
    },

    setEnabled: (caller, owner, enabled) =>
      queue.inTurn(owner.id, async ({ waited }) => {
        if (waited) await recheckSwitchPermission(caller, owner)
        return changed(caller, owner, enabled ? 'enable_livestream' : 'disable_livestream', (provider, signal) =>
          provider.setEnabled(owner.id, enabled, signal)
        )
      }),

    resetStreamKey: (caller, owner) =>
      changed(caller, owner, 'reset_stream_key', (provider, signal) => provider.resetStreamKey(owner.id, signal))
  }
}

function shown(caller: Caller, livestream: LivestreamWithKey, status: number): Done<LivestreamWithKey> {
  return {
    value: livestream,
    status,
    livestreamId: livestream.id,
    data: withoutKey(livestream),
    streamKeyRevealed: revealsKey(shownTo(caller, livestream))
  }
}
