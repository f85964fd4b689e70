import type { Caller } from '../../domain/caller.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { type Joining, type MeetingParticipant, type NewParticipant, named } from '../../domain/participant.ts'
import {
  Failure,
  IdempotencyKeyInUse,
  isOneOf,
  ParticipantConflict,
  ParticipantUnsettled,
  UpstreamMalformed
} from '../../domain/refusals/failures.ts'
import { Conflict } from '../../store/engine/engine.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { KnownParticipants } from '../../store/tables/participants.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { beforeSending, type RecheckPermission } from '../broadcast/before-sending.ts'
import { type Context, providerOf } from '../context.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import type { Done, Mutation } from '../operations/mutation.ts'
import type { DemandPreset } from './preset-guard.ts'
import { type CustomFingerprint, participantsOf, type RememberParticipants } from './remember-participants.ts'
import type { ParticipantSearch } from './search.ts'

export interface AddParticipantDeps extends Pick<Context, 'changes' | 'deadline'> {
  upstreams: Upstreams
  auditTrail: AuditTrail
  operations: Pick<Operations, 'openAdding'>
  reconcileNow(operationId: string): Promise<void>
  demandPreset: DemandPreset
  /** All of its questions take their time. */
  recheckPermission: RecheckPermission
  participantSearch: Pick<ParticipantSearch, 'byCustomId'>
  participants: Pick<KnownParticipants, 'noneYet'>
  rememberParticipants: Pick<RememberParticipants, 'rows'>
  fingerprintOf: CustomFingerprint
}

/** A participant with a token, and whether this call has made it. */
export interface Added extends Joining {
  status: 200 | 201
}

/**
 * Adds a participant once, by the id that its caller gives. Those who ask alike while it is under way share its answer, which is kept
 * nowhere. One that is there already, and like it, gets a fresh token.
 * @throws PresetNotAllowed, PresetUnreadable, ParticipantConflict, ParticipantUnsettled, MeetingNotFound
 */
export type AddParticipant = (caller: Caller, meeting: OwnedMeeting, wish: NewParticipant) => Promise<Added>

export function addParticipantOnce(deps: AddParticipantDeps): AddParticipant {
  const {
    upstreams,
    auditTrail,
    operations,
    reconcileNow,
    demandPreset,
    recheckPermission,
    participantSearch,
    participants
  } = deps
  const { rememberParticipants, fingerprintOf, changes, deadline } = deps
  /** By tenant and keyed fingerprint. */
  const underWay = new Map<string, { text: string; answer: Promise<Added> }>()

  async function lead(caller: Caller, meeting: OwnedMeeting, wish: NewParticipant, participant: string) {
    await expectSettled(participant)
    const there = await beforeSending(participantSearch.byCustomId(meeting, wish.custom_participant_id, deadline()))
    if (there !== null && textOf(there) !== textOf(wish)) throw conflict()
    await beforeSending(demandPreset(meeting, wish.preset_name, deadline()))
    await recheckPermission(caller, meeting, 'start')
    const { id: meetingId, upstream } = meeting
    const rows = there === null ? [participants.noneYet(participant)] : []
    // One who is there is not searched for when the answer with the token is lost.
    const adding = there === null ? { participant } : {}
    const mutation = { caller, kind: 'add_participant', upstream, meetingId, rows, ...adding } as const
    const provider = providerOf(upstreams, meeting, 'mutation')
    // From before the record: after a pause nothing is sent that another replica may have taken over.
    const signal = deadline()
    const answer = auditTrail.around<Added>(mutation, async () => {
      if (there !== null) {
        const token = await provider.refreshToken(meetingId, there.id, signal)
        return doneWith<Added>({ participant: there, token, status: 200 })
      }
      const added = await provider
        .addParticipant(meetingId, wish, signal)
        .finally(() => changes.note(participantsOf(meeting)))
      expectWished(added.participant, wish)
      const statements = rememberParticipants.rows(meeting, [added.participant])
      return { ...doneWith<Added>({ ...added, status: 201 }), statements }
    })
    return answer.catch(error => {
      throw error instanceof Failure && error.cause instanceof Conflict ? unsettled(1) : error
    })
  }

  /** An earlier call may have added it: that is found out first. @throws ParticipantUnsettled while nobody knows */
  async function expectSettled(participant: string): Promise<void> {
    const open = await operations.openAdding(participant)
    if (open === null) return
    await reconcileNow(open.id)
    if ((await operations.openAdding(participant)) === null) return
    throw unsettled(5)
  }

  return async (caller, meeting, given) => {
    const wish = named(given)
    const [fingerprint, text] = [fingerprintOf(meeting, wish.custom_participant_id), textOf(wish)]
    // No tenant id has a slash.
    const key = `${meeting.tenantId}/${fingerprint}`
    for (;;) {
      const first = underWay.get(key)
      if (first === undefined) {
        const answer = lead(caller, meeting, wish, fingerprint).finally(() => underWay.delete(key))
        underWay.set(key, { text, answer })
        return answer
      }
      if (first.text !== text) throw conflict()
      const added = await first.answer.catch(unlessItsCallers)
      if (added === null) continue
      const { id: meetingId, upstream } = meeting
      const mutation: Mutation = { caller, kind: 'add_participant', upstream, meetingId }
      await auditTrail.answered({ ...mutation, resources: doneWith(added).resources ?? [] }, doneWith(added))
      return added
    }
  }
}

/** Null when the failure is about the key of the call that led, or about its idempotency key, and about no other call's. */
function unlessItsCallers(error: unknown): null {
  if (error instanceof Failure && (error.status === 401 || isOneOf(error, IdempotencyKeyInUse))) return null
  throw error
}

/** The `data` that is kept has no token, and says that there was one. */
export function doneWith<J extends Joining>(value: J & { status?: number }): Done<J> {
  const { participant, status = 200 } = value
  const resources = [{ type: 'participant' as const, uid: participant.id }]
  return { value, status, data: { ...participant, token_issued: true }, resources }
}

/** Everything that a participant was wished with but its id, as text. */
function textOf({ name, picture, preset_name }: Pick<MeetingParticipant, 'name' | 'picture' | 'preset_name'>): string {
  return JSON.stringify([name ?? null, picture ?? null, preset_name])
}

/** A token of another preset may allow what the tenant may not give. @throws UpstreamMalformed */
export function expectPreset({ preset_name: given }: MeetingParticipant, wished: string): void {
  if (given === wished) return
  const cause = new Error('the vendor answered with another preset')
  throw new UpstreamMalformed({ cause, outcome: 'unknown' })
}

function expectWished(participant: MeetingParticipant, wish: NewParticipant): void {
  expectPreset(participant, wish.preset_name)
  if (participant.custom_participant_id === wish.custom_participant_id) return
  const cause = new Error('the vendor answered with another participant')
  throw new UpstreamMalformed({ cause, outcome: 'unknown' })
}

function unsettled(retryAfterSeconds: number) {
  return new ParticipantUnsettled({ outcome: 'not_sent', retryAfterSeconds })
}

function conflict() {
  return new ParticipantConflict({ outcome: 'not_sent' })
}
