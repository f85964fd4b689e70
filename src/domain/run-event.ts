import { type Static, Type } from 'typebox'
import { LivestreamId, MeetingId } from './id.ts'
import { type RunEvent, runEventTypes, runStatuses } from './run.ts'
import { Nullable, Timestamp, VendorText } from './values/schema.ts'

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
