/** A webhook that a vendor has sent, and that was taken. */
export interface WebhookDeliveriesTable {
  /** Its place in the order in which they were taken. */
  seq: number
  upstream: string
  delivery_id: string | null
  body_digest: string
  event: string
  meeting_id: string | null
  livestream_id: string | null
  session_id: string | null
  received_at: number
  /** Time at which it was looked after; null: not yet. */
  noticed_at: number | null
}

/** Counts of the webhooks that came for an upstream, and when the last ones did. */
export interface WebhookCountsTable {
  upstream: string
  taken: number
  repeated: number
  unknown: number
  refused: number
  taken_at: number | null
  refused_at: number | null
  refused_webhook_id: string | null
}
