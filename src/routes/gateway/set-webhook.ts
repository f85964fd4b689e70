import { Type } from 'typebox'
import { ShownWebhookWithSecret, WebhookUrl } from '../../domain/webhooks/tenant-webhook.ts'
import type { TenantWebhook } from '../../lifecycle/webhooks-out/tenant-webhook.ts'
import { Answer, failures, ownMutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'setWebhook',
  summary: "Set the tenant's webhook",
  description:
    'It is told of each event of the broadcast runs from now on, signed after [Standard Webhooks](https://www.standardwebhooks.com). The `secret` is in the answer that makes it, and after `rotate_secret`: then the one of before signs as well for 24 hours. Setting it again enables one that was disabled, and tries at once what waits.',
  tags: ['gateway'],
  body: Type.Object(
    {
      url: WebhookUrl,
      rotate_secret: Type.Optional(Type.Boolean({ description: 'True: a new secret', default: false }))
    },
    { additionalProperties: false, examples: [{ url: 'https://hooks.example.com/livegate' }] }
  ),
  response: {
    200: Answer(ShownWebhookWithSecret, 'The webhook as it is now'),
    201: Answer(ShownWebhookWithSecret, 'The new webhook, with its secret'),
    ...failures(...ownMutationFailures)
  }
}

const rule = { scope: 'webhooks:manage', limit: 'write' } as const

export function setWebhook(app: Api, { webhook: ofTenant }: { webhook: TenantWebhook }): void {
  app.put('/webhook', { schema, config: { rule } }, async (request, reply) => {
    const { url, rotate_secret: rotateSecret = false } = request.body
    const { webhook, isNew } = await ofTenant.set(request.caller, { url, rotateSecret })
    return reply.code(isNew ? 201 : 200).send({ success: true, data: webhook })
  })
}
