import type { Caller } from '../../domain/caller.ts'
import { isVendorId, placeOf } from '../../domain/id.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { OperationKind } from '../../domain/operation.ts'
import { NoActiveSession } from '../../domain/refusals/failures.ts'
import type { ActiveSession, Participant, Participants } from '../../domain/session.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { Sessions } from '../../store/tables/sessions.ts'
import type { Provider, StageAction, Upstreams } from '../../upstream/provider.ts'
import { type Context, providerOf, waitBriefly } from '../context.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import { type Seen, SharedReads } from '../reads/shared-reads.ts'

export interface StageDeps extends Pick<Context, 'clock' | 'deadline' | 'bounded' | 'changes' | 'readTtlMs'> {
  upstreams: Upstreams
  engine: Pick<Engine, 'write'>
  sessions: Pick<Sessions, 'sessionSeen'>
  auditTrail: AuditTrail
  log: { warn(facts: object, message: string): void }
}

/** The participants whom it was done to. */
export interface OnStage {
  action: StageAction
  participants: Participant[]
}

export interface KickedAll {
  action: 'kick-all'
  kicked_participants_count: number
}

export interface MutedAll {
  action: 'mute-all'
  muted_participants_count: number
}

/** Participants of a meeting now, and their right to speak. Each change is sent once: a lost answer stays unknown. */
export interface TenantStage {
  /** The session that goes on; it is known to the tenant from then on. @throws NoActiveSession */
  findActive(meeting: OwnedMeeting, signal: AbortSignal): Promise<Seen<ActiveSession>>
  /** @throws ParticipantNotFound */
  act(caller: Caller, meeting: OwnedMeeting, action: StageAction, whom: Participants): Promise<OnStage>
  /** @throws NoActiveSession */
  kickAll(caller: Caller, meeting: OwnedMeeting): Promise<KickedAll>
  /** @throws NoActiveSession */
  muteAll(caller: Caller, meeting: OwnedMeeting, wish: { allow_unmute?: boolean }): Promise<MutedAll>
}

export function tenantStage(deps: StageDeps): TenantStage {
  const { upstreams, engine, sessions, auditTrail, log, clock, deadline, changes } = deps
  const reads = new SharedReads<ActiveSession | null>(deps)

  async function look(meeting: OwnedMeeting, signal: AbortSignal): Promise<ActiveSession | null> {
    const found = await providerOf(upstreams, meeting, 'read').findActiveSession(meeting.id, signal)
    if (found === null || !isVendorId(found.id)) return found
    const kept = engine.write([sessions.sessionSeen(meeting, found.id, clock.now())])
    await waitBriefly(
      kept.catch(
        tellTrouble(
          log,
          'warn',
          { event: 'sighting_not_kept', session_id: found.id },
          'a session that was seen could not be kept'
        )
      )
    )
    return found
  }

  function changed<T extends object>(
    caller: Caller,
    meeting: OwnedMeeting,
    kind: OperationKind,
    change: (provider: Provider, signal: AbortSignal) => Promise<T>
  ): Promise<T> {
    const { id: meetingId, tenantId, upstream } = meeting
    return auditTrail.around({ caller, kind, upstream, meetingId }, async () => {
      const provider = providerOf(upstreams, { upstream, tenantId }, 'mutation')
      const value = await change(provider, deadline()).finally(() => changes.note(placeOf(meeting)))
      return { value, data: value, status: 200 }
    })
  }

  return {
    async findActive(meeting, signal) {
      const ask = (signal: AbortSignal) => look(meeting, signal)
      // No tenant id has a slash.
      const subject = placeOf(meeting)
      const key = `${meeting.tenantId}/${subject}`
      const { value, ...seen } = await reads.read({ key, subject, ask, signal: () => signal })
      if (value === null) throw new NoActiveSession()
      return { ...seen, value }
    },

    act: (caller, meeting, action, whom) =>
      changed(caller, meeting, `${action}_participants`, async (provider, signal) => ({
        action,
        participants: await provider.onStage(meeting.id, action, whom, signal)
      })),

    kickAll: (caller, meeting) =>
      changed(caller, meeting, 'kick_all_participants', async (provider, signal) => ({
        action: 'kick-all',
        kicked_participants_count: await provider.onWholeStage(meeting.id, 'kick', {}, signal)
      })),

    muteAll: (caller, meeting, wish) =>
      changed(caller, meeting, 'mute_all_participants', async (provider, signal) => ({
        action: 'mute-all',
        muted_participants_count: await provider.onWholeStage(meeting.id, 'mute', wish, signal)
      }))
  }
}
