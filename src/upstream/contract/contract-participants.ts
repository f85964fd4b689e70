import { type Static, Type } from 'typebox'
import type { MeetingParticipant } from '../../domain/participant.ts'
import type { Preset } from '../../domain/preset.ts'
import type { Paging } from '../../domain/values/paging.ts'
import { Envelope, present, reader, solid, Text } from './contract.ts'
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
