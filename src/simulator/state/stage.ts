import { randomUUID } from 'node:crypto'
import { Invalid, iso, isoOrNull, Refusal } from '../answers.ts'
import { runningRun } from './livestream.ts'
import type { Meeting } from './meeting.ts'
import type { MeetingSession, Participant } from './meeting-session.ts'

const guests = ['Host', 'First guest', 'Second guest']

/** The session that goes on, or a new one with a few made-up people. */
export function openSession(meeting: Meeting, at: number): MeetingSession {
  meeting.session ??= {
    id: randomUUID(),
    meetingId: meeting.id,
    title: meeting.fields.title ?? '',
    startedAt: at,
    endedAt: null,
    participants: guests.map((name, i) => ({ id: randomUUID(), customId: `guest-${i + 1}`, name, since: at })),
    peak: guests.length,
    joined: false
  }
  return meeting.session
}

/** Ends the session when nothing holds it any more: no livestream runs, and all who joined have left. `since` says from when. */
export function endIfEmpty(meeting: Meeting, at: number, since = at): void {
  const { session } = meeting
  if (session === null || session.joined || meeting.livestreams.some(one => runningRun(one, at))) return
  session.endedAt = since
  meeting.session = null
}

/** Ends the session that goes on, whatever runs. @throws Refusal 404 when there is none */
export function endSession(meeting: Meeting, at: number): void {
  activeSession(meeting).endedAt = at
  meeting.session = null
}

/** @throws Refusal 404, the vendor's own words (contract#stage-operations). */
export function activeSession(meeting: Meeting): MeetingSession {
  if (meeting.session) return meeting.session
  throw new Refusal(404, `No active session found for meeting_id ${meeting.id}`)
}

/**
 * The participants that a kick or mute names, by the vendor's ids or by the caller's own.
 * @throws Invalid without a list of ids, Refusal 404 for somebody who is not there.
 */
export function namedParticipants(session: MeetingSession, body: Record<string, unknown>): Participant[] {
  const { participant_ids: ids, custom_participant_ids: customIds } = body
  const wanted = ids ?? customIds
  if (!Array.isArray(wanted)) throw new Invalid('body', '"participant_ids" must be an array')
  return wanted.map(id => {
    const found = session.participants.find(one => (ids === undefined ? one.customId : one.id) === id)
    if (!found) throw new Refusal(404, `No user found with id ${id}`)
    return found
  })
}

/** Takes people off the stage. An empty meeting is over, unless a livestream keeps it open. */
export function removeParticipants(meeting: Meeting, session: MeetingSession, gone: Participant[], at: number): void {
  session.participants = session.participants.filter(one => !gone.includes(one))
  if (session.participants.length > 0) return
  session.joined = false
  endIfEmpty(meeting, at)
}

/** The vendor's SessionParticipant. */
export function participantShape({ id, name, since }: Participant): object {
  const email = `${name.toLowerCase().replaceAll(' ', '.')}@people.example`
  return { id, name, email, picture: 'https://people.example/face.png', created_at: iso(since), updated_at: iso(since) }
}

/** The vendor's ActiveSession. `organization_id` is half of a credential and is sent all the same: so does the vendor. */
export function sessionShape(session: MeetingSession, org: string, at: number): object {
  const { id, meetingId, title, startedAt, endedAt, participants, peak } = session
  return {
    id,
    associated_id: meetingId,
    meeting_display_name: title,
    type: 'meeting',
    status: endedAt === null ? 'LIVE' : 'ENDED',
    live_participants: endedAt === null ? participants.length : 0,
    max_concurrent_participants: peak,
    minutes_consumed: ((endedAt ?? at) - startedAt) / 60_000,
    organization_id: org,
    started_at: iso(startedAt),
    ended_at: isoOrNull(endedAt),
    created_at: iso(startedAt),
    updated_at: iso(endedAt ?? startedAt),
    breakout_rooms: []
  }
}
