/** One gathering of a meeting, with people in it; the vendor calls it a session. Times are epoch milliseconds. */
export interface MeetingSession {
  id: string
  meetingId: string
  title: string
  startedAt: number
  endedAt: number | null
  participants: Participant[]
  peak: number
  /** Whether people came by themselves: then it outlives the livestream. */
  joined: boolean
}

export interface Participant {
  id: string
  customId: string
  name: string
  since: number
}
