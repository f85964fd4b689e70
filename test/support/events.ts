import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { TestContext } from './test-context.ts'
import { until } from './until.ts'

/** An event as it was received. */
export interface Received {
  event: string
  id: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
  data: any
}

/** A stream of server-sent events that is open. */
export interface OpenStream {
  readonly statusCode: number
  readonly headers: IncomingMessage['headers']
  /** All events so far. */
  readonly events: Received[]
  /** The id of the last event, or the one that the stream began with. */
  lastId(): string
  /** All that was received, byte for byte. */
  text(): string
  /** Waits until so many events have come, and gives them. */
  first(count: number): Promise<Received[]>
  /** Resolves when the other side has ended or cut it. */
  readonly ended: Promise<void>
  pause(): void
  close(): void
}

/** Opens a stream, and reads its blocks as the standard has it. Ends with the test. */
export async function openStream(
  t: TestContext,
  url: string,
  key: string,
  { path = '/gateway/events', headers = {} }: { path?: string; headers?: Record<string, string> } = {}
): Promise<OpenStream> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const call: ClientRequest = request(
    `${url}${path}`,
    { agent: false, headers: { authorization: `Bearer ${key}`, ...headers } },
    resolve
  )
  call.on('error', reject)
  call.end()
  t.teardown(() => call.destroy())
  const answer = await promise
  const events: Received[] = []
  let text = ''
  let rest = ''
  let lastId = ''
  answer.setEncoding('utf8').on('data', chunk => {
    text += chunk
    rest += chunk
    const blocks = rest.split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) read(block)
  })
  const ended = new Promise<void>(done => answer.on('close', done))
  answer.on('error', () => {})

  function read(block: string): void {
    const fields = Object.fromEntries(
      block.split('\n').map(line => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
      })
    )
    lastId = fields.id ?? lastId
    if (fields.data !== undefined)
      events.push({ event: fields.event ?? 'message', id: lastId, data: JSON.parse(fields.data) })
  }

  return {
    statusCode: answer.statusCode ?? 0,
    headers: answer.headers,
    events,
    lastId: () => lastId,
    text: () => text,
    async first(count) {
      await until(() => events.length >= count)
      return events
    },
    ended,
    pause: () => answer.pause(),
    close: () => call.destroy()
  }
}
