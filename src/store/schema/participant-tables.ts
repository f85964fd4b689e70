/** A participant of a meeting that a tenant was shown. Ids and names of its own stay with the vendor. */
export interface MeetingParticipantsTable {
  id: string
  upstream: string
  meeting_id: string
  /** Keyed fingerprint of its place and of the id that its caller gave. */
  custom_fingerprint: string
  seen_at: number
}
