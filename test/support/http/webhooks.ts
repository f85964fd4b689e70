import { randomUUID } from 'node:crypto'
import type { Simulator } from '../../../src/simulator/simulator.ts'
import { client, type Reply } from '../client.ts'

export interface WebhookSender {
  /** Sends a body as the vendor would, signed. The last argument changes header fields; an empty one leaves the field out. */
  send(body: object | string, headers?: Record<string, string>): Promise<Reply>
}

/** Sends webhooks to a gateway as its simulated vendor does, but when the test says. */
export function webhookSender(
  url: string,
  { webhooks }: Pick<Simulator, 'webhooks'>,
  upstream = 'default'
): WebhookSender {
  const call = client(url, null)
  return {
    send(body, headers = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const fields = {
        'content-type': 'application/json',
        'rtk-signature': webhooks.key.sign(text),
        'rtk-uuid': randomUUID(),
        'rtk-webhook-id': randomUUID(),
        ...headers
      }
      const given = Object.entries(fields).filter(([, value]) => value !== '')
      return call('POST', `/webhooks/${upstream}`, text, Object.fromEntries(given))
    }
  }
}

/** News of a livestream in Dyte's form. */
export function statusUpdate(streamId: string, status = 'LIVE'): object {
  return { event: 'livestreaming.statusUpdate', streamId, status }
}

/** News of a meeting's session. */
export function meetingNews(
  event: 'meeting.started' | 'meeting.ended',
  id: string,
  sessionId: string = randomUUID()
): object {
  return { event, meeting: { id, sessionId, title: 'a show' } }
}
