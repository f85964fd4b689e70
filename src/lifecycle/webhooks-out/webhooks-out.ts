import type { Store } from '../../store/store.ts'
import { runEventsIn } from '../../store/tables/runs/run-events.ts'
import { webhookDeliveriesIn } from '../../store/tables/webhooks-out/deliveries.ts'
import { webhooksIn } from '../../store/tables/webhooks-out/webhooks.ts'
import { deliverer } from './message.ts'
import { type PostOptions, poster } from './post.ts'
import { WebhookSender, type WebhookSenderDeps } from './sender.ts'
import { type TenantWebhook, type TenantWebhookDeps, tenantWebhook } from './tenant-webhook.ts'

export interface WebhooksOutDeps
  extends Pick<TenantWebhookDeps, 'sealing' | 'auditTrail' | 'deadline'>,
    Pick<
      WebhookSenderDeps,
      'auditEvents' | 'hub' | 'onWorkLeft' | 'log' | 'clock' | 'observer' | 'firstPauseMs' | 'replicas'
    >,
    PostOptions {
  store: Store
}

/** Puts the parts of the webhooks together: the routes call the first, and a gateway starts and closes the second. */
export function webhooksOut({ store, networks, resolve, ca, withinMs, ...deps }: WebhooksOutDeps): {
  webhook: TenantWebhook
  webhookSender: WebhookSender
} {
  const deliver = deliverer({ ...deps, post: poster({ networks, resolve, ca, withinMs }) })
  const webhooks = webhooksIn(store)
  const deliveries = webhookDeliveriesIn(store)
  const { engine } = store
  const webhookSender = new WebhookSender({
    ...deps,
    ...{ engine, webhooks, deliveries, deliver, events: runEventsIn(store) }
  })
  const wake = (): void => webhookSender.wake()
  const webhook = tenantWebhook({ ...deps, webhooks, deliveries, deliver, networks, wake })
  return { webhook, webhookSender }
}
