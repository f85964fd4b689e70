import { deliveryErrors } from '../../domain/webhooks/tenant-webhook.ts'
import { counter, histogram } from '../definition.ts'
import { mostUpstreams } from './upstreams.ts'

export const webhooks = {
  livegate_webhook_deliveries_total: counter("Attempts to tell tenants' webhooks: `delivered`, or why not", {
    label: 'result',
    values: ['delivered', ...deliveryErrors]
  }),
  livegate_webhook_delivery_duration_seconds: histogram("Time of an attempt to tell a tenant's webhook"),
  livegate_webhook_deliveries_given_up_total: counter('Events that did not arrive within their time'),
  livegate_webhooks_disabled_total: counter("Tenants' webhooks that were disabled, since they failed for days"),
  livegate_vendor_webhooks_total: counter(
    "Vendors' webhooks that came: `taken`, `repeated`, `unknown` (of no known event), `refused` (not signed)",
    { labels: ['upstream', 'result'], most: 4 * (mostUpstreams + 1) }
  )
}
