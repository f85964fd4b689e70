import { WebhookNotFound } from '../../domain/refusals/failures.ts'
import { ShownWebhook } from '../../domain/webhooks/tenant-webhook.ts'
import type { TenantWebhook } from '../../lifecycle/webhooks-out/tenant-webhook.ts'
import { Answer, failures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'getWebhook',
  summary: "Read the tenant's webhook",
  description:
    'With the result of its last attempt: of an answer its status alone is kept. The secret is never shown again.',
  tags: ['gateway'],
  response: { 200: Answer(ShownWebhook, 'The webhook as it is now'), ...failures(WebhookNotFound) }
}

const rule = { scope: 'webhooks:manage', limit: 'read' } as const

export function getWebhook(app: Api, { webhook }: { webhook: TenantWebhook }): void {
  app.get('/webhook', { schema, config: { rule } }, async request => {
    return { success: true as const, data: await webhook.find(request.caller) }
  })
}
