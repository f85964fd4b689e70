import { WebhookNotFound } from '../../domain/refusals/failures.ts'
import { ShownAttempt } from '../../domain/webhooks/tenant-webhook.ts'
import type { TenantWebhook } from '../../lifecycle/webhooks-out/tenant-webhook.ts'
import { Answer, failures, ownMutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'testWebhook',
  summary: "Send a test to the tenant's webhook",
  description:
    'One attempt with the type `webhook.test`, signed like an event. It changes nothing, and one that is disabled is tested too. Of the answer the status is shown alone.',
  tags: ['gateway'],
  response: {
    200: Answer(ShownAttempt, 'The result: it was delivered when `error` is null'),
    ...failures(...ownMutationFailures, WebhookNotFound)
  }
}

const rule = { scope: 'webhooks:manage', limit: 'write' } as const

export function testWebhook(app: Api, { webhook }: { webhook: TenantWebhook }): void {
  app.post('/webhook/test', { schema, config: { rule } }, async request => {
    return { success: true as const, data: await webhook.test(request.caller) }
  })
}
