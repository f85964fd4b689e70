import { WebhookNotFound } from '../../domain/refusals/failures.ts'
import { ShownWebhook } from '../../domain/webhooks/tenant-webhook.ts'
import type { TenantWebhook } from '../../lifecycle/webhooks-out/tenant-webhook.ts'
import { Answer, failures, ownMutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'removeWebhook',
  summary: "Remove the tenant's webhook",
  description: 'What waits for it is dropped. One that is under way may still arrive.',
  tags: ['gateway'],
  response: {
    200: Answer(ShownWebhook, 'The webhook as it was'),
    ...failures(...ownMutationFailures, WebhookNotFound)
  }
}

const rule = { scope: 'webhooks:manage', limit: 'write' } as const

export function removeWebhook(app: Api, { webhook }: { webhook: TenantWebhook }): void {
  app.delete('/webhook', { schema, config: { rule } }, async request => {
    return { success: true as const, data: await webhook.remove(request.caller) }
  })
}
