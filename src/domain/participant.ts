import { type Static, Type } from 'typebox'
import { vendorIdPattern } from './id.ts'
import { Nullable, Timestamp, VendorText } from './values/schema.ts'

export const ParticipantId = Type.String({
  pattern: vendorIdPattern,
  maxLength: 64,
  description: 'Id of a participant, as the answer that made it or a list of its meeting has shown it',
  examples: ['aaa3f1c2-5b1d-4c1e-9d57-6c1a0f2e7b11']
})

/** The vendor's participant (contract#participants): somebody who may join a meeting. Who is in it now, `session.ts` has. */
export const MeetingParticipant = Type.Object({
  id: ParticipantId,
  name: Type.Optional(Nullable(VendorText(undefined, 'Mary Sue'))),
  picture: Type.Optional(Nullable(VendorText())),
  custom_participant_id: VendorText('The id that you gave', 'guest-1'),
  preset_name: VendorText('The preset that decides what its token allows', 'livestream_viewer'),
  created_at: Type.Optional(Timestamp()),
  updated_at: Type.Optional(Timestamp())
})
export type MeetingParticipant = Static<typeof MeetingParticipant>
