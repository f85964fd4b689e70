/** The tables of the webhooks of tenants. */
export interface TenantWebhookTables {
  tenant_webhooks: TenantWebhooksTable
  tenant_webhook_deliveries: TenantWebhookDeliveriesTable
}

/** Webhook of a tenant (`domain/webhooks/tenant-webhook.ts`). Its secrets are sealed. */
export interface TenantWebhooksTable {
  tenant_id: string
  url: string
  secret: string
  previous_secret: string | null
  previous_until: number | null
  after_seq: number
  failing_since: number | null
  failed_at: number | null
  disabled_at: number | null
  given_up: number
  last_at: number | null
  last_status: number | null
  last_error: string | null
  last_ms: number | null
  created_at: number
  updated_at: number
  /** Its own: each setting counts one on. */
  revision: number
}

/** Event of a run that is still to be delivered to its tenant's webhook; one that is delivered, or given up, has no row. */
export interface TenantWebhookDeliveriesTable {
  /** Number of the event in `run_events`. */
  seq: number
  tenant_id: string
  /** Meeting, or livestream without one: there events keep their order. */
  place: string
  /** The same at each attempt, so that the receiver knows what it has. */
  message_id: string
  body: string
  attempts: number
  queued_at: number
  next_at: number
  /** The process that delivers it, and until when it alone may do so. */
  owner: string | null
  lease_until: number | null
}
