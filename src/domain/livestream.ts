import { type Static, Type } from 'typebox'
import { isSameId, LivestreamId, MeetingId } from './id.ts'
import { Nullable, Timestamp, VendorText } from './values/schema.ts'

/** The vendors' words for the states of a livestream. An open set: another word of theirs passes through as it is. */
export const livestreamStatuses = ['INVOKED', 'LIVE', 'IDLE', 'OFFLINE', 'ERRORED'] as const

/** True while a run goes on or is about to. A word that Livegate doesn't know counts as a run, since nothing says that it is over. */
export function isRunning(status: string): boolean {
  return !isOver(status) && !isOverOrComing(status)
}

/** Whether a run has either ended or is yet to come: `OFFLINE` is both the first and the last state in L1 (contract#l1-statuses). */
export function isOverOrComing(status: string): boolean {
  return status === 'OFFLINE'
}

/** True when a run has certainly ended. */
export function isOver(status: string): boolean {
  return status === 'IDLE' || status === 'ERRORED'
}

/** No enum: a strict client would fail over the vendor's next word. */
const LivestreamStatus = Type.String({
  maxLength: 32,
  description:
    'INVOKED: asked for, not yet on air. LIVE: on air. IDLE or OFFLINE: not running. ERRORED: the run broke. Take other words as unknown.',
  examples: ['LIVE']
})

/**
 * The name a caller may give. The vendors publish the pattern `^[a-zA-Z0-9-_]*$`, but a program that runs against the real
 * service sends blanks (contract#livestream-name): it is passed on, and the vendor says what it accepts. Of its length nothing is published. Lists of the account
 * show the names of all tenants: a page of a hundred of the longest can still be read.
 */
export const LivestreamName = Nullable(Type.String({ maxLength: 1_000, examples: ['friday-show'] }))

/**
 * The vendor's livestream as a tenant may see it (contract#livestream). Where to send video, and with which key, is in
 * LivestreamWithKey only. Nothing but the id and the status is promised by the vendor in every answer.
 */
export const Livestream = Type.Object({
  id: LivestreamId,
  name: Type.Optional(Nullable(VendorText(undefined, 'friday-show'))),
  status: LivestreamStatus,
  meeting_id: Type.Optional(Nullable(MeetingId)),
  playback_url: Type.Optional(Nullable(VendorText('HLS playlist', 'https://playback.example/hls/stream.m3u8'))),
  disabled: Type.Optional(Type.Boolean()),
  created_at: Type.Optional(Timestamp()),
  updated_at: Type.Optional(Timestamp())
})
export type Livestream = Static<typeof Livestream> & UnshownFields

/** Fields of the vendor that callers are not shown: no document of theirs tells of them. */
interface UnshownFields {
  /** An encoder sends the video, and no participant of the meeting (contract#browser-starts). */
  manual_ingest?: boolean
}

/** Fields that let their owner broadcast as the tenant. They leave Livegate for the scope `stream-key:read` alone. */
export const secretFields = ['ingest_server', 'stream_key'] as const

export const LivestreamWithKey = Type.Object({
  ...Livestream.properties,
  ingest_server: Type.Optional(
    VendorText('Where to send video. Only with the scope `stream-key:read`', 'rtmps://ingest.example:443/app/')
  ),
  stream_key: Type.Optional(
    VendorText('Whoever has it can broadcast. Only with the scope `stream-key:read`', 'sk_EXAMPLE')
  )
})
export type LivestreamWithKey = Static<typeof LivestreamWithKey> & UnshownFields

/** A livestream in a list: as Livegate saw it last. Lists never carry stream keys. */
export const ListedLivestream = Type.Object({
  ...Livestream.properties,
  observed_at: Timestamp('When Livegate last saw this livestream at the provider')
})
export type ListedLivestream = Static<typeof ListedLivestream>

/** One run of a livestream (contract#livestream-session). */
export const LivestreamSession = Type.Object({
  id: Type.String({ maxLength: 64, examples: ['c1d2e3f4-0a1b-4c2d-8e3f-112233445566'] }),
  livestream_id: Type.Optional(LivestreamId),
  err_message: Type.Optional(Nullable(VendorText())),
  invoked_time: Type.Optional(Nullable(Timestamp())),
  started_time: Type.Optional(Nullable(Timestamp())),
  stopped_time: Type.Optional(Nullable(Timestamp())),
  created_at: Type.Optional(Timestamp()),
  updated_at: Type.Optional(Timestamp()),
  ingest_seconds: Type.Optional(Type.Number({ description: 'Reads 60 until about 50 s have passed', examples: [118] })),
  viewer_seconds: Type.Optional(Type.Number({ examples: [116.116] }))
})
export type LivestreamSession = Static<typeof LivestreamSession>

/** A run that was shown with its livestream, in whichever case its vendor has written the id of that. */
export function runOf(livestreamId: string, run: LivestreamSession): LivestreamSession {
  const { livestream_id: named = livestreamId } = run
  return named === livestreamId ? run : { ...run, livestream_id: livestreamId }
}

/** The livestream without what lets somebody broadcast: for every caller without the scope, and for the store. */
export function withoutKey(livestream: LivestreamWithKey): Livestream {
  const { ingest_server: _server, stream_key: _key, ...rest } = livestream
  return rest
}

/** Whether an answer names this meeting, or says that the livestream has none. Which letters of a UUID are capitals means nothing. */
export function names({ meeting_id: named }: Livestream, meetingId: string | null): boolean {
  return named === meetingId || (named != null && meetingId !== null && isSameId(named, meetingId))
}

/** A livestream's tenant and place. */
export interface OwnedLivestream {
  readonly id: string
  readonly tenantId: string
  readonly upstream: string
  readonly meetingId: string | null
  /** As it was seen last. */
  readonly status: string
  /** The vendor has said which meeting it is of, or that it has none. The answer that begins or makes one says nothing of it. */
  readonly isProved: boolean
}
