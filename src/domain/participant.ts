import { type Static, Type } from 'typebox'
import { vendorIdPattern } from './id.ts'
import { anyLength, Nullable, Timestamp, VendorText } from './values/schema.ts'
import type { Secret } from './values/secret.ts'

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

const TokenFields = {
  token: Type.Optional(VendorText('Its bearer can join the meeting as this participant. Never in a replay')),
  token_issued: Type.Optional(
    Type.Boolean({
      description: 'In a replay: whether the first answer had the token. Ask for another one with `…/token`'
    })
  )
}

/** A participant with the token to join with. Its bearer can join as that participant: it is shown once, and kept nowhere. */
export interface Joining {
  participant: MeetingParticipant
  token: Secret
}

/** A participant with the token, as the answer that has made one shows it. A replay tells only whether there was one. */
export const ParticipantWithToken = Type.Object({
  ...MeetingParticipant.properties,
  ...TokenFields
})

export const IssuedToken = Type.Object(TokenFields)

/** A participant that was taken away, in the vendor's words. */
export const RemovedParticipant = Type.Object({
  custom_participant_id: VendorText(),
  preset_id: Type.Optional(VendorText()),
  created_at: Type.Optional(Timestamp()),
  updated_at: Type.Optional(Timestamp())
})
export type RemovedParticipant = Static<typeof RemovedParticipant>

const text = (example: string) => Type.String({ maxLength: anyLength, examples: [example] })
const name = Type.Optional(Nullable(text('Mary Sue')))
const picture = Type.Optional(Nullable(text('https://people.example/mary.png')))
const closed = { additionalProperties: false }

/** Body of `POST …/participants`. The id is the caller's own: an empty one is nobody's. */
export const NewParticipant = Type.Object(
  {
    custom_participant_id: Type.String({
      minLength: 1,
      maxLength: anyLength,
      description: 'Your own id of this person. Better no address or name: the provider keeps it',
      examples: ['guest-1']
    }),
    preset_name: text('livestream_viewer'),
    name,
    picture
  },
  {
    ...closed,
    examples: [{ custom_participant_id: 'guest-1', preset_name: 'livestream_viewer', name: 'Mary Sue' }]
  }
)
export type NewParticipant = Static<typeof NewParticipant>

/** Body of `PATCH …/participants/{participant_id}`: any subset. */
export const ParticipantChange = Type.Object(
  { name, picture, preset_name: Type.Optional(Nullable(text('livestream_viewer'))) },
  { ...closed, examples: [{ name: 'Mary' }] }
)
export type ParticipantChange = Static<typeof ParticipantChange>

/** Body of `PUT …/participants/{participant_id}`. The preset stays as it is where none is named. */
export const ReplacedParticipant = Type.Object(
  { preset_name: Type.Optional(text('livestream_viewer')), name, picture },
  { ...closed, examples: [{ preset_name: 'livestream_viewer', name: 'Mary' }] }
)
export type ReplacedParticipant = Static<typeof ReplacedParticipant>

/** The name of one who was given none: without a name a token does not join (contract#participant-tokens). */
const usualName = 'Guest'

/** The same, with the name that is always sent. */
export function named<Wish extends { name?: string | null }>(wish: Wish): Wish & { name: string } {
  return { ...wish, name: wish.name ?? usualName }
}
