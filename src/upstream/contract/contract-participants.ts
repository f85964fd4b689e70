import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Joining, MeetingParticipant, RemovedParticipant } from '../../domain/participant.ts'
import type { Preset, PresetRights } from '../../domain/preset.ts'
import type { Paging } from '../../domain/values/paging.ts'
import { Secret } from '../../domain/values/secret.ts'
import { Envelope, expectId, present, reader, solid, Text } from './contract.ts'
import { pageOf, pagingOf } from './figures.ts'

const Id = Type.String({ minLength: 1, maxLength: 64 })
const VendorParticipant = Type.Object({
  id: Id,
  name: Type.Optional(Text),
  picture: Type.Optional(Text),
  custom_participant_id: Type.String(),
  preset_name: Type.String(),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text)
})
const VendorPreset = Type.Object({
  id: Id,
  name: Type.String(),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text)
})

const participantAnswer = reader(Envelope(VendorParticipant))
const participantsAnswer = reader(Envelope(Type.Array(VendorParticipant)))
const presetsAnswer = reader(Envelope(Type.Array(VendorPreset)))

/** A page of a list. */
export interface PageOf<Item> {
  items: Item[]
  paging: Paging
}

/** A participant, without a token. @throws UpstreamMalformed */
export function readParticipant(body: unknown): MeetingParticipant {
  return toParticipant(participantAnswer(body).data)
}

/** A page of participants. @throws UpstreamMalformed */
export function readParticipants(body: unknown): PageOf<MeetingParticipant> {
  const { data, paging } = participantsAnswer(body)
  return { items: data.map(toParticipant), paging: pagingOf(paging) ?? pageOf(data) }
}

/** A page of presets. @throws UpstreamMalformed */
export function readPresets(body: unknown): PageOf<Preset> {
  const { data, paging } = presetsAnswer(body)
  const items = data.map(one => ({ id: one.id, name: one.name, ...solid(one, ['created_at', 'updated_at']) }))
  return { items, paging: pagingOf(paging) ?? pageOf(data) }
}

function toParticipant(data: Static<typeof VendorParticipant>): MeetingParticipant {
  return {
    id: data.id,
    ...present(data, ['name', 'picture']),
    custom_participant_id: data.custom_participant_id,
    preset_name: data.preset_name,
    ...solid(data, ['created_at', 'updated_at'])
  }
}

const Token = Type.String({ minLength: 1 })
const joiningAnswer = reader(Envelope(Type.Object({ ...VendorParticipant.properties, token: Token })))
const tokenAnswer = reader(Envelope(Type.Object({ token: Token })))
const removedAnswer = reader(
  Envelope(
    Type.Object({
      custom_participant_id: Type.String(),
      preset_id: Type.Optional(Text),
      created_at: Type.Optional(Text),
      updated_at: Type.Optional(Text)
    })
  )
)
const presetAnswer = reader(
  Envelope(
    Type.Object({
      id: Id,
      name: Type.String(),
      permissions: Type.Object({
        can_livestream: Type.Boolean(),
        can_record: Type.Boolean(),
        recorder_type: Type.Optional(Type.String())
      })
    })
  )
)

/** A participant of this meeting with a new token. @throws UpstreamMalformed also for a token of another meeting or participant */
export function readJoining(meetingId: string, body: unknown): Joining {
  const { data } = joiningAnswer(body)
  const participant = toParticipant(data)
  return { participant, token: ownToken(data.token, meetingId, participant.id) }
}

/** A new token of this participant. @throws UpstreamMalformed as above */
export function readToken(meetingId: string, participantId: string, body: unknown): Secret {
  return ownToken(tokenAnswer(body).data.token, meetingId, participantId)
}

/** @throws UpstreamMalformed */
export function readRemoved(body: unknown): RemovedParticipant {
  const { data } = removedAnswer(body)
  const { custom_participant_id } = data
  return { custom_participant_id, ...solid(data, ['preset_id', 'created_at', 'updated_at']) }
}

/** Rights that a preset gives. One that does not say them can't be read. @throws UpstreamMalformed */
export function readRights(id: string, body: unknown): PresetRights {
  const { data } = presetAnswer(body)
  expectId('preset', id, data.id)
  const { can_livestream, can_record, recorder_type = 'NONE' } = data.permissions
  return { name: data.name, mayBroadcast: can_livestream || can_record || recorder_type !== 'NONE' }
}

/** Names of its meeting and its participant in a token's claims (contract#participant-tokens). */
const Claims = Compile(Type.Object({ meetingId: Type.Optional(Id), participantId: Type.Optional(Id) }))

/** Another participant's token would let its holder into another meeting, perhaps of another tenant. */
function ownToken(token: string, meetingId: string, participantId: string): Secret {
  const claims = claimsOf(token)
  if (Claims.Check(claims)) {
    expectId("meeting's token", meetingId, claims.meetingId ?? meetingId)
    expectId("participant's token", participantId, claims.participantId ?? participantId)
  }
  return new Secret(token)
}

/** Undefined where the token is none that can be read: nothing says that it must be. */
function claimsOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}
