import { type Static, type TSchema, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { UpstreamMalformed } from '../domain/failures.ts'
import type { LivestreamSession, LivestreamWithKey } from '../domain/livestream.ts'
import type { Meeting } from '../domain/meeting.ts'
import type { Paging } from '../domain/paging.ts'

/**
 * What of the vendor's answers we read: the fields that we use are checked, all others are ignored. Both contracts, L1 and
 * L2, and both forms in which L2 is published (contract sections 3 and 4.4) fit.
 */
export const Text = Type.Union([Type.String(), Type.Null()])
/** In two schemas of the vendor the figures stand in quotes; other text would become a number that JSON does not have. */
const Seconds = Type.Union([Type.Number(), Type.String({ pattern: '^\\d{1,15}(\\.\\d{1,20})?$' }), Type.Null()])

export const VendorLivestream = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  status: Type.String({ minLength: 1, maxLength: 32 }),
  name: Type.Optional(Text),
  meeting_id: Type.Optional(Text),
  ingest_server: Type.Optional(Text),
  stream_key: Type.Optional(Text),
  playback_url: Type.Optional(Text),
  disabled: Type.Optional(Type.Union([Type.Boolean(), Type.String(), Type.Null()])),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text)
})

export const VendorSession = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  livestream_id: Type.Optional(Text),
  err_message: Type.Optional(Text),
  invoked_time: Type.Optional(Text),
  started_time: Type.Optional(Text),
  stopped_time: Type.Optional(Text),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text),
  ingest_seconds: Type.Optional(Seconds),
  viewer_seconds: Type.Optional(Seconds)
})

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
  session_keep_alive_time_in_secs: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text)
})

export const VendorPaging = Type.Object({
  total_count: Type.Integer({ minimum: 0 }),
  start_offset: Type.Integer({ minimum: 0 }),
  end_offset: Type.Integer({ minimum: 0 })
})

export const OneOrMany = <X extends TSchema>(schema: X) => Type.Union([Type.Array(schema), schema])
export const Envelope = <X extends TSchema>(data: X) =>
  Type.Object({ success: Type.Optional(Type.Literal(true)), data, paging: Type.Optional(VendorPaging) })

export function reader<X extends TSchema>(schema: X): (body: unknown) => Static<X> {
  const check = Compile(schema)
  return body => {
    if (check.Check(body)) return body as Static<X>
    const [first] = check.Errors(body)
    throw new UpstreamMalformed({ cause: new Error(`at ${first?.instancePath || '/'}: ${first?.message}`) })
  }
}

const livestreamAnswer = reader(Envelope(VendorLivestream))
const meetingAnswer = reader(Envelope(VendorMeeting))
const meetingsAnswer = reader(Envelope(Type.Array(VendorMeeting)))
const sessionsAnswer = reader(
  Envelope(
    Type.Union([
      Type.Object({
        livestream: VendorLivestream,
        sessions: Type.Optional(OneOrMany(VendorSession)),
        session: Type.Optional(Type.Union([OneOrMany(VendorSession), Type.Null()])),
        paging: Type.Optional(VendorPaging)
      }),
      VendorLivestream // L1: the object alone
    ])
  )
)
const livestreamsAnswer = reader(
  Envelope(
    Type.Union([
      Type.Array(VendorLivestream),
      Type.Object({ livestreams: Type.Array(VendorLivestream) }), // L1
      VendorLivestream, // L2 as its schema has it: one object beside `paging`
      Type.Object({ paging: VendorPaging })
    ])
  )
)
const messageAnswer = reader(Envelope(Type.Object({ message: Type.Optional(Text) })))

/** A single livestream. @throws UpstreamMalformed */
export function readLivestream(body: unknown): LivestreamWithKey {
  return toLivestream(livestreamAnswer(body).data)
}

/** A page of livestreams, in each of the forms of contract section 4.4. @throws UpstreamMalformed */
export function readLivestreams(body: unknown): LivestreamWithKey[] {
  const { data } = livestreamsAnswer(body)
  if (Array.isArray(data)) return data.map(toLivestream)
  return ('livestreams' in data ? data.livestreams : 'id' in data ? [data] : []).map(toLivestream)
}

/** A livestream with its runs; contract L1 knows no runs. @throws UpstreamMalformed */
export function readLivestreamWithSessions(body: unknown): {
  livestream: LivestreamWithKey
  sessions: LivestreamSession[]
  paging: Paging
} {
  const { data, paging } = sessionsAnswer(body)
  if (!('livestream' in data)) return { livestream: toLivestream(data), sessions: [], paging: pageOf([]) }
  const sessions = [data.sessions ?? data.session ?? []].flat().map(toSession)
  return { livestream: toLivestream(data.livestream), sessions, paging: paging ?? data.paging ?? pageOf(sessions) }
}

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
    ...solid(data, ['session_keep_alive_time_in_secs'])
  }
}

/** Proves that the answer is a success; what the message says differs from contract to contract. @throws UpstreamMalformed */
export function readMessage(body: unknown): void {
  messageAnswer(body)
}

export function toLivestream(data: Static<typeof VendorLivestream>): LivestreamWithKey {
  return {
    id: data.id,
    status: data.status,
    ...present(data, ['name', 'meeting_id', 'playback_url']),
    ...solid(data, ['ingest_server', 'stream_key', 'created_at', 'updated_at']),
    ...(data.disabled != null && { disabled: data.disabled === true || data.disabled === 'true' })
  }
}

export function toSession(data: Static<typeof VendorSession>): LivestreamSession {
  return {
    id: data.id,
    ...present(data, ['err_message', 'invoked_time', 'started_time', 'stopped_time']),
    ...solid(data, ['livestream_id', 'created_at', 'updated_at']),
    ...(data.ingest_seconds != null && { ingest_seconds: Number(data.ingest_seconds) }),
    ...(data.viewer_seconds != null && { viewer_seconds: Number(data.viewer_seconds) })
  }
}

export function pageOf(items: unknown[]): Paging {
  return { total_count: items.length, start_offset: Math.min(1, items.length), end_offset: items.length }
}

/** The named fields that are there, null included. */
export function present<T extends object, K extends keyof T>(
  from: T,
  names: K[]
): { [N in K]?: Exclude<T[N], undefined> } {
  return Object.fromEntries(names.filter(name => from[name] !== undefined).map(name => [name, from[name]])) as never
}

/** The named fields that are there and not null. */
export function solid<T extends object, K extends keyof T>(
  from: T,
  names: K[]
): { [N in K]?: Exclude<T[N], undefined | null> } {
  return Object.fromEntries(names.filter(name => from[name] != null).map(name => [name, from[name]])) as never
}
