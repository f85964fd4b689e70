/** Meetings of the bench: the cheap vendor shows those of `read` live for ever, and those of `own` as they were started and stopped. */
export type MeetingKind = 'read' | 'own'

const firstDigit: Record<MeetingKind, string> = { read: '1', own: '2' }

export function meetingId(kind: MeetingKind, number: number): string {
  return `${firstDigit[kind]}${number.toString(16).padStart(7, '0')}-0000-4000-8000-000000000000`
}

/** The livestream of a meeting that is live for ever. */
export function livestreamIdOf(meeting: string): string {
  return `a${meeting.slice(1)}`
}
