import { iso } from '../answers.ts'
import { vendors } from '../dialects/vendors.ts'
import { ingestServer } from '../routes/shapes.ts'
import type { Livestream } from '../state/livestream.ts'
import type { Meeting } from '../state/meeting.ts'
import type { MeetingSession } from '../state/meeting-session.ts'
import type { VendorState } from '../state/state.ts'

/** An event as the vendor sends it: its name, and what belongs to it. */
export interface WebhookEvent {
  event: string
  [field: string]: unknown
}

/**
 * A livestream has changed its status. RealtimeKit sends its stream key with it, and its meeting; Dyte neither
 * (contract#livestreaming-status-update).
 */
export function statusUpdate(state: VendorState, livestream: Livestream, status: string): WebhookEvent {
  const { id, meetingId, playbackUrl, streamKey } = livestream
  const bare = { event: 'livestreaming.statusUpdate', streamId: id, status }
  if (!vendors[state.settings.vendor].webhooksShowAll) return bare
  const meeting = meetingId === null ? undefined : state.meetings.get(meetingId)
  return {
    ...bare,
    manualIngest: livestream.manualIngest,
    playbackUrl,
    ingestServer: ingestServer(state),
    streamKey,
    ...(meeting && { meeting: meetingIn(state, meeting) })
  }
}

/** The first participant has come. */
export function meetingStarted(state: VendorState, session: MeetingSession): WebhookEvent {
  return { event: 'meeting.started', meeting: withSession(state, session) }
}

/** The last one has left. Its `status` says LIVE all the same, as in the vendor's examples (contract#meeting-webhooks). */
export function meetingEnded(state: VendorState, session: MeetingSession, endedAt: number): WebhookEvent {
  const meeting = { ...withSession(state, session), endedAt: iso(endedAt) }
  return { event: 'meeting.ended', meeting, reason: 'ALL_PARTICIPANTS_LEFT' }
}

function withSession(state: VendorState, { id, meetingId, startedAt }: MeetingSession): object {
  const meeting = state.meetings.get(meetingId)
  return { ...(meeting && meetingIn(state, meeting)), sessionId: id, startedAt: iso(startedAt) }
}

/** The id of the organisation is half of Dyte's credentials, and is sent all the same: so does the vendor. */
function meetingIn({ settings }: VendorState, { id, fields, createdAt }: Meeting): object {
  const organizedBy = { id: settings.org, name: 'simulated' }
  return { id, title: fields.title ?? '', createdAt: iso(createdAt), status: 'LIVE', organizedBy }
}
