import { type Static, Type } from 'typebox'
import { MeetingId } from './id.ts'
import { Nullable, Timestamp, VendorText } from './values/schema.ts'

const flags = {
  live_stream_on_start: Type.Optional(
    Nullable(Type.Boolean({ description: 'Start a livestream when the meeting starts, without another call' }))
  ),
  record_on_start: Type.Optional(Nullable(Type.Boolean())),
  persist_chat: Type.Optional(Nullable(Type.Boolean())),
  summarize_on_end: Type.Optional(Nullable(Type.Boolean()))
}

/** The vendor's meeting (contract#meeting-fields). Optional fields are those that the vendor does not promise. */
export const Meeting = Type.Object({
  id: MeetingId,
  title: Type.Optional(Nullable(VendorText(undefined, 'Friday show'))),
  status: Type.Optional(VendorText('ACTIVE or INACTIVE', 'ACTIVE')),
  preferred_region: Type.Optional(Nullable(VendorText())),
  ...flags,
  is_large: Type.Optional(Type.Boolean()),
  waiting_room: Type.Optional(Type.Boolean()),
  session_keep_alive_time_in_secs: Type.Optional(Type.Number()),
  transcribe_on_end: Type.Optional(Type.Boolean()),
  created_at: Type.Optional(Timestamp()),
  updated_at: Type.Optional(Timestamp())
})
export type Meeting = Static<typeof Meeting>

/** A meeting in a list: as Livegate saw it last. One that was only assigned so far has nothing but its id. */
export const ListedMeeting = Type.Object({
  ...Meeting.properties,
  observed_at: Nullable(Timestamp('When Livegate last asked the provider for this meeting; null: not yet'))
})
export type ListedMeeting = Static<typeof ListedMeeting>

/** A meeting at a vendor account. Assigned at another one, its id means another thing there. */
export type PlacedMeeting = Pick<OwnedMeeting, 'id' | 'upstream'>

/** A meeting's tenant and place: all that Livegate must know of it; the rest is the vendor's. */
export interface OwnedMeeting {
  readonly id: string
  readonly tenantId: string
  readonly upstream: string
}
