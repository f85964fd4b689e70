import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Webhook } from 'standardwebhooks'
import { listen } from '../listen.ts'
import type { TestContext } from '../test-context.ts'

/** A message that a receiver has got, whatever it answered. */
export interface Received {
  path: string
  headers: IncomingHttpHeaders
  body: string
}

/** Behaviour of a receiver, by the message's place among all that it got. */
export type Behaviour = (reply: ServerResponse, number: number, request: IncomingMessage) => void

export interface Receiver {
  /** `http://127.0.0.1:…/hook`, or https with a certificate. */
  url: string
  port: number
  received: Received[]
  /** Replaced by tests while it runs. */
  behaviour: Behaviour
}

export const says =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  reply =>
    void reply.writeHead(status, headers).end()
/** Accepts the request and never answers. */
export const hangs: Behaviour = () => {}
/** Closes the connection without an answer. */
export const drops: Behaviour = reply => void reply.socket?.destroy()
/** Says yes, and goes on talking for ever. */
export const neverEnds: Behaviour = reply => {
  reply.writeHead(200)
  const talk = setInterval(() => reply.write('x'), 5)
  reply.on('close', () => clearInterval(talk))
}

/** A receiver of webhooks on this machine, until the test ends. */
export async function receiver(
  t: Pick<TestContext, 'teardown'>,
  behaviour: Behaviour = says(204),
  tls?: { cert: string; key: string }
): Promise<Receiver> {
  const one: Receiver = { url: '', port: 0, received: [], behaviour }
  const take = async (request: IncomingMessage, reply: ServerResponse): Promise<void> => {
    let body = ''
    for await (const chunk of request) body += chunk
    one.received.push({ path: request.url ?? '', headers: request.headers, body })
    one.behaviour(reply, one.received.length, request)
  }
  const handle = (request: IncomingMessage, reply: ServerResponse): void => void take(request, reply).catch(() => {})
  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle)
  one.port = await listen(t, server)
  one.url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${one.port}/hook`
  return one
}

/** The content of a message, as the library of Standard Webhooks proves it. @throws WebhookVerificationError */
export function verified(secret: string, { headers, body }: Received) {
  return new Webhook(secret).verify(body, headers as Record<string, string>) as {
    type: string
    timestamp: string
    data: Record<string, unknown>
  }
}

/** Messages in order, each as often as it came: `m1 live`. */
export function told(secret: string, received: readonly Received[]): string[] {
  return received.map(one => {
    const { type, data } = verified(secret, one)
    return `${data.meeting_id} ${type.replace('livestream.', '')}`
  })
}
