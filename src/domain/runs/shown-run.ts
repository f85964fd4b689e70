import { type Static, Type } from 'typebox'
import { LivestreamId, MeetingId, vendorIdPattern } from '../id.ts'
import { Nullable, Timestamp, VendorText } from '../values/schema.ts'
import { type Run, type RunEvent, runEnders, runEventTypes, runStatuses } from './run.ts'

/** Id of a run: Livegate's own, and not that of the vendor's session. */
export const RunId = Type.String({
  pattern: vendorIdPattern,
  maxLength: 64,
  description: 'Id of a broadcast run, as `Livegate-Run` and the list of runs tell it',
  examples: ['5a1c8f0e-7b7c-4f5a-9a34-6d1b7c0e9f21']
})

const Time = (description: string) => Nullable(Timestamp(description))

/** A run as its tenant sees it. */
export const BroadcastRun = Type.Object({
  id: RunId,
  meeting_id: Nullable(MeetingId),
  livestream_id: Nullable(LivestreamId),
  session_id: Nullable(
    Type.String({ maxLength: 64, description: "The provider's livestream session, as far as an answer has shown it" })
  ),
  status: Type.Enum([...runStatuses], {
    description:
      'starting: a start is under way, or its outcome is not known. invoked: begun, not yet on air. live: on air. ended; errored: the provider broke it, or the start came to nothing (no livestream then)'
  }),
  begun_by: Type.Enum(['start', 'outside'], { description: 'start: a start through Livegate. outside: anything else' }),
  playback_url: Nullable(VendorText('HLS playlist', 'https://playback.example/hls/stream.m3u8')),
  invoked_at: Time('When it began'),
  live_at: Time('When it went on air'),
  ended_at: Time('When it was over'),
  ended_by: Nullable(Type.Enum([...runEnders], { description: 'Cause of its end' })),
  deadline_at: Time('When Livegate ends it for its duration; null: it has none'),
  max_duration_seconds: Nullable(Type.Integer({ minimum: 0 })),
  created_at: Timestamp('When Livegate came to know it')
})
export type BroadcastRun = Static<typeof BroadcastRun>

/** The run for an answer. */
export function shownRun(run: Run): BroadcastRun {
  const at = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())
  return {
    id: run.id,
    meeting_id: run.meetingId,
    livestream_id: run.livestreamId,
    session_id: run.sessionId,
    status: run.status,
    begun_by: run.operationId === null ? 'outside' : 'start',
    playback_url: run.playbackUrl,
    invoked_at: at(run.invokedAtMs),
    live_at: at(run.liveAtMs),
    ended_at: at(run.endedAtMs),
    ended_by: run.endedBy,
    deadline_at: at(run.deadlineAtMs),
    max_duration_seconds: run.maxDurationSeconds,
    created_at: new Date(run.createdAtMs).toISOString()
  }
}

/** An event of a run, as its tenant is told of it: in a stream of events, and in whatever else carries them. */
export const ShownRunEvent = Type.Object({
  type: Type.Enum([...runEventTypes]),
  run_id: Type.String({ maxLength: 64, examples: ['5d0f6c1e-4a3b-4c2d-8e1f-90a1b2c3d4e5'] }),
  meeting_id: Nullable(MeetingId),
  livestream_id: Nullable(LivestreamId),
  status: Type.Enum([...runStatuses], { description: 'Of the run, after the event' }),
  playback_url: Nullable(VendorText('HLS playlist; null until the provider has told it')),
  reason: Nullable(Type.String({ maxLength: 32, description: 'Cause of an end, or of one that is near' })),
  at: Timestamp('When it was noticed')
})
export type ShownRunEvent = Static<typeof ShownRunEvent>

/** The event without whose it is and at which vendor account. It has no stream key. */
export function shownRunEvent(event: RunEvent): ShownRunEvent {
  const { type, runId, meetingId, livestreamId, status, playbackUrl, reason, atMs } = event
  const ids = { run_id: runId, meeting_id: meetingId, livestream_id: livestreamId }
  return { type, ...ids, status, playback_url: playbackUrl, reason, at: new Date(atMs).toISOString() }
}
