import type { Caller } from '../../domain/caller.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { OperationKind } from '../../domain/operation.ts'
import {
  type Joining,
  named,
  type ParticipantChange,
  type RemovedParticipant,
  type ReplacedParticipant
} from '../../domain/participant.ts'
import { Failure, ParticipantNotFound } from '../../domain/refusals/failures.ts'
import type { Secret } from '../../domain/values/secret.ts'
import type { Provider, Upstreams } from '../../upstream/provider.ts'
import { beforeSending, type RecheckPermission } from '../broadcast/before-sending.ts'
import { type Context, providerOf } from '../context.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import type { Done } from '../operations/mutation.ts'
import { doneWith, expectPreset } from './add-participant.ts'
import { type DemandPreset, unreadable } from './preset-guard.ts'
import { participantsOf } from './remember-participants.ts'

export interface ParticipantChangesDeps extends Pick<Context, 'changes' | 'deadline'> {
  upstreams: Upstreams
  auditTrail: AuditTrail
  demandPreset: DemandPreset
  recheckPermission: RecheckPermission
}

/** Changes of participants that are known. Each is sent once: a lost answer stays unknown. All but `remove` obey the tenant's rule for presets. */
export interface ParticipantChanges {
  /** @throws ParticipantNotFound, PresetNotAllowed, PresetUnreadable */
  update(caller: Caller, meeting: OwnedMeeting, id: string, change: ParticipantChange): Promise<Joining>
  /** @throws as above, and NotOffered */
  replace(caller: Caller, meeting: OwnedMeeting, id: string, wish: ReplacedParticipant): Promise<Joining>
  /** @throws ParticipantNotFound */
  remove(caller: Caller, meeting: OwnedMeeting, id: string): Promise<RemovedParticipant>
  /** @throws as `update` */
  refreshToken(caller: Caller, meeting: OwnedMeeting, id: string): Promise<Secret>
}

export function participantChanges(deps: ParticipantChangesDeps): ParticipantChanges {
  const { upstreams, auditTrail, demandPreset, recheckPermission, changes, deadline } = deps

  function changed<T>(
    caller: Caller,
    meeting: OwnedMeeting,
    [kind, id]: [OperationKind, id: string],
    change: (provider: Provider, signal: AbortSignal) => Promise<Done<T>>
  ): Promise<T> {
    const { id: meetingId, upstream } = meeting
    const resources = [{ type: 'participant' as const, uid: id }]
    const signal = deadline()
    return auditTrail.around({ caller, kind, upstream, meetingId, resources }, () => {
      const provider = providerOf(upstreams, meeting, 'mutation')
      return change(provider, signal).finally(() => changes.note(participantsOf(meeting)))
    })
  }

  /** The preset that its token will have, once the tenant may give it. @param wished null: the one that it has now */
  async function allowed(caller: Caller, meeting: OwnedMeeting, id: string, wished: string | null): Promise<string> {
    const name = wished ?? (await presetNow(meeting, id))
    await beforeSending(demandPreset(meeting, name, deadline()))
    // The questions took their time.
    await recheckPermission(caller, meeting, 'start')
    return name
  }

  async function presetNow(meeting: OwnedMeeting, id: string): Promise<string> {
    const provider = providerOf(upstreams, meeting, 'mutation')
    const found = await provider.findParticipant(meeting.id, id, deadline()).catch(cause => {
      throw cause instanceof Failure && cause.status < 500 ? cause : unreadable(cause)
    })
    if (found === null) throw new ParticipantNotFound({ outcome: 'not_sent' })
    return found.preset_name
  }

  /** One event names it, and no second time what it was made. */
  function joined(joining: Joining, preset: string): Done<Joining> {
    expectPreset(joining.participant, preset)
    return { ...doneWith(joining), resources: [] }
  }

  return {
    async update(caller, meeting, id, { preset_name: wished = null, ...rest }) {
      const preset = await allowed(caller, meeting, id, wished)
      const change = { ...rest, ...(wished !== null && { preset_name: wished }) }
      return changed(caller, meeting, ['update_participant', id], async (provider, signal) =>
        joined(await provider.updateParticipant(meeting.id, id, change, signal), preset)
      )
    },

    async replace(caller, meeting, id, wish) {
      const preset = await allowed(caller, meeting, id, wish.preset_name ?? null)
      const whole = named({ ...wish, preset_name: preset })
      return changed(caller, meeting, ['replace_participant', id], async (provider, signal) =>
        joined(await provider.replaceParticipant(meeting.id, id, whole, signal), preset)
      )
    },

    remove: (caller, meeting, id) =>
      changed(caller, meeting, ['remove_participant', id], async (provider, signal) => {
        const value = await provider.removeParticipant(meeting.id, id, signal)
        // Its row stays: a replay needs it, and a search for its custom id removes it.
        return { value, data: value, status: 200 }
      }),

    async refreshToken(caller, meeting, id) {
      await allowed(caller, meeting, id, null)
      return changed(caller, meeting, ['refresh_participant_token', id], async (provider, signal) => {
        const value = await provider.refreshToken(meeting.id, id, signal)
        return { value, data: { token_issued: true }, status: 200 }
      })
    }
  }
}
