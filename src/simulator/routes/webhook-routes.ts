import { Refusal, type SimulatedAnswer, success } from '../answers.ts'
import { type Webhook, webhookEvents, webhookShape } from '../webhooks/registered.ts'
import type { SimulatedWebhooks } from '../webhooks/webhooks.ts'
import type { Routes } from './route.ts'

/** The path of the key document, outside of the API (contract#webhook-key). */
export const webhookKeyPath = '/.well-known/webhooks.json'

/** Webhooks of the account (contract#webhook-registration). */
export function webhookRoutes(webhooks: SimulatedWebhooks): Routes {
  const { registered } = webhooks
  const shown = (webhook: Webhook, status = 200): SimulatedAnswer => success(webhookShape(webhook), status)
  return {
    'POST /webhooks': ({ body }) => shown(webhooks.register(body), 201),
    'GET /webhooks': () => {
      const all = registered.all()
      // A program met it so at the real service.
      if (all.length === 0) throw new Refusal(404, 'No webhooks found')
      return success(all.map(webhookShape))
    },
    'GET /webhooks/all': () => success([...webhookEvents]),
    'GET /webhooks/{id}': ({ id }) => shown(registered.find(id)),
    'PUT /webhooks/{id}': ({ id, body }) => shown(registered.change(id, body, true)),
    'PATCH /webhooks/{id}': ({ id, body }) => shown(registered.change(id, body, false)),
    'DELETE /webhooks/{id}': ({ id }) => shown(registered.remove(id))
  }
}

/** The published key, which nobody needs credentials for. */
export function webhookKey({ key }: SimulatedWebhooks): SimulatedAnswer {
  return { status: 200, body: { success: true, data: { publicKey: key.publicPem() }, message: '' } }
}
