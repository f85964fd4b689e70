import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { Test } from 'tap'
import { listen } from '../listen.ts'

/** A webhook as it arrived. */
export interface Received {
  headers: IncomingHttpHeaders
  /** The bytes of the body. */
  body: Buffer
  /** The body, parsed. */
  json: ReturnType<typeof JSON.parse>
}

export interface Receiver {
  url: string
  received: Received[]
  /** The events in their order; of a livestream with its status. */
  events(): string[]
  /** The next answers, one each; then 200 again. 0: the socket is destroyed. */
  answerNext(...statuses: number[]): void
}

/** A server that takes webhooks, until the test ends. */
export async function webhookReceiver(t: Pick<Test, 'teardown'>): Promise<Receiver> {
  const received: Received[] = []
  let answers: number[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    received.push({ headers: request.headers, body, json: JSON.parse(body.toString()) })
    const [status = 200, ...rest] = answers
    answers = rest
    if (status === 0) response.destroy()
    else response.writeHead(status).end()
  })
  const port = await listen(t, server)
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    events: () => received.map(({ json }) => [json.event, json.status].filter(Boolean).join(' ')),
    answerNext(...statuses) {
      answers = statuses
    }
  }
}
