import { type Static, Type } from 'typebox'
import type { Meeting } from '../../domain/meeting.ts'
import { Envelope, Figure, present, reader, solid, Text } from './contract.ts'
import { figures } from './figures.ts'

const Flag = Type.Union([Type.Boolean(), Type.Null()])
const VendorMeeting = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  title: Type.Optional(Text),
  status: Type.Optional(Text),
  preferred_region: Type.Optional(Text),
  live_stream_on_start: Type.Optional(Flag),
  record_on_start: Type.Optional(Flag),
  persist_chat: Type.Optional(Flag),
  summarize_on_end: Type.Optional(Flag),
  is_large: Type.Optional(Flag),
  waiting_room: Type.Optional(Flag),
  transcribe_on_end: Type.Optional(Flag),
  session_keep_alive_time_in_secs: Figure,
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text)
})

const meetingAnswer = reader(Envelope(VendorMeeting))
const meetingsAnswer = reader(Envelope(Type.Array(VendorMeeting)))

/** A meeting. Where recordings are stored, and with which secrets, is left out. @throws UpstreamMalformed */
export function readMeeting(body: unknown): Meeting {
  return toMeeting(meetingAnswer(body).data)
}

/** A page of meetings. @throws UpstreamMalformed */
export function readMeetings(body: unknown): Meeting[] {
  return meetingsAnswer(body).data.map(toMeeting)
}

function toMeeting(data: Static<typeof VendorMeeting>): Meeting {
  return {
    id: data.id,
    ...present(data, ['title', 'preferred_region', 'live_stream_on_start', 'record_on_start']),
    ...present(data, ['persist_chat', 'summarize_on_end']),
    ...solid(data, ['status', 'created_at', 'updated_at', 'is_large', 'waiting_room', 'transcribe_on_end']),
    ...figures(data, ['session_keep_alive_time_in_secs'])
  }
}
