import { type Static, Type } from 'typebox'
import { MeetingId, vendorIdPattern } from './id.ts'
import { anyLength, Nullable, Timestamp, VendorText } from './values/schema.ts'

/** A run's tenant and livestream. The vendor calls a run a livestream session; it is known once it was shown to the tenant. */
export interface OwnedRun {
  readonly id: string
  readonly tenantId: string
  readonly livestreamId: string
}

/** A session's tenant and meeting. It is known once it was shown to the tenant. */
export interface OwnedSession {
  readonly id: string
  readonly tenantId: string
  readonly meetingId: string
}

const sessionId = (description: string) =>
  Type.String({
    pattern: vendorIdPattern,
    maxLength: 64,
    description,
    examples: ['c1d2e3f4-0a1b-4c2d-8e3f-112233445566']
  })

export const LivestreamSessionId = sessionId('Id of a session of a livestream, as its livestream shows it')
export const SessionId = sessionId('Id of a session of a meeting, as its `active-session` shows it')

const Count = (description?: string) => Type.Number({ ...(description !== undefined && { description }) })

const fields = {
  id: Type.String({ maxLength: 64, examples: ['c1d2e3f4-0a1b-4c2d-8e3f-112233445566'] }),
  associated_id: Type.Optional(Type.String({ maxLength: 64, description: 'The meeting' })),
  meeting_display_name: Type.Optional(Nullable(VendorText(undefined, 'Friday show'))),
  type: Type.Optional(VendorText('meeting, livestream or participant', 'meeting')),
  status: Type.Optional(VendorText('LIVE or ENDED', 'LIVE')),
  live_participants: Type.Optional(Count()),
  max_concurrent_participants: Type.Optional(Count()),
  minutes_consumed: Type.Optional(Count()),
  started_at: Type.Optional(Nullable(Timestamp())),
  ended_at: Type.Optional(Nullable(Timestamp())),
  created_at: Type.Optional(Timestamp()),
  updated_at: Type.Optional(Timestamp())
}

/** The session of a meeting that goes on now (contract#active-session), less the id of the vendor's customer. */
export const ActiveSession = Type.Object({
  ...fields,
  associated_id: MeetingId,
  breakout_rooms: Type.Optional(Type.Array(Type.Object(fields), { maxItems: 1000 }))
})
export type ActiveSession = Static<typeof ActiveSession>

/** Somebody in a session. */
export const Participant = Type.Object({
  id: Type.String({ maxLength: 64 }),
  name: Type.Optional(Nullable(VendorText())),
  email: Type.Optional(Nullable(VendorText())),
  picture: Type.Optional(Nullable(VendorText())),
  created_at: Type.Optional(Timestamp()),
  updated_at: Type.Optional(Timestamp())
})
export type Participant = Static<typeof Participant>

const ids = (description: string) =>
  Type.Optional(
    // Nobody knows whether the vendor takes an empty list for nobody or for everybody.
    Type.Array(Type.String({ minLength: 1, maxLength: anyLength }), { minItems: 1, maxItems: anyLength, description })
  )

/** The people to kick or to mute: by the vendor's ids or by the caller's own, one of the two. */
export const Participants = Type.Object(
  {
    participant_ids: ids("By the provider's ids"),
    custom_participant_ids: ids('By the ids that you gave them')
  },
  { additionalProperties: false, examples: [{ custom_participant_ids: ['guest-1'] }] }
)
export type Participants = Static<typeof Participants>
