import type { VendorWebhook, WebhookWish } from '../../../domain/webhooks/vendor-webhook.ts'
import { path, readSuccess } from '../../contract/contract.ts'
import { readRegistered, readRegisteredList } from '../../contract/webhooks.ts'
import type { Send } from '../../transport/call.ts'

/** Lists all of the account; an account without any says 404 (contract#webhook-registration). */
export async function listWebhooks(send: Send, signal: AbortSignal): Promise<VendorWebhook[]> {
  const { status, body } = await send({ method: 'GET', path: path`/webhooks`, signal }, [404])
  return status === 404 ? [] : readRegisteredList(body)
}

export async function addWebhook(send: Send, wish: WebhookWish, signal: AbortSignal): Promise<VendorWebhook> {
  const { body } = await send({ method: 'POST', path: path`/webhooks`, body: wish, signal })
  return readSuccess(() => readRegistered(body))
}

export async function changeWebhook(
  send: Send,
  id: string,
  change: Partial<WebhookWish>,
  signal: AbortSignal
): Promise<VendorWebhook> {
  const { body } = await send({ method: 'PATCH', path: path`/webhooks/${id}`, body: change, signal })
  return readSuccess(() => readRegistered(body))
}

/** False when it was gone already. */
export async function removeWebhook(send: Send, id: string, signal: AbortSignal): Promise<boolean> {
  const { status } = await send({ method: 'DELETE', path: path`/webhooks/${id}`, signal }, [404])
  return status !== 404
}
