import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { VendorWebhooks } from '../../lifecycle/webhooks-in/take.ts'
import type { Api } from '../api.ts'

/** Left out of the OpenAPI document: vendors call it, and no program of a tenant. */
const schema = {
  hide: true,
  operationId: 'receiveWebhook',
  response: { 200: Type.Object({ success: Type.Literal(true) }, { description: 'It is taken' }) }
}

export interface WebhookDeps {
  webhooks: Pick<VendorWebhooks, 'prove' | 'take'>
  /** Notes that the sender of this call has proved who it is. */
  vouch(request: FastifyRequest, reply: FastifyReply): void
}

/** A vendor tells of news (contract#webhook-events). Any 2xx means that it is kept; after a 5xx alone it is sent again (contract#webhook-retries). */
export function receiveWebhook(app: Api, { webhooks, vouch }: WebhookDeps): void {
  app.post<{ Params: { upstream: string } }>('/:upstream', { schema }, async (request, reply) => {
    const { params, headers, body } = request
    const webhook = await webhooks.prove(params.upstream, headers, body instanceof Buffer ? body : Buffer.alloc(0))
    vouch(request, reply)
    await webhooks.take(webhook)
    return { success: true as const }
  })
}
