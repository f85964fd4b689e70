import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Loop } from '../domain/values/clock.ts'

// An import of `node:http` makes Node load its fetch and its WebSocket.
const { createServer } = process.getBuiltinModule('node:http')

export interface ListenerOptions {
  host: string
  port: number
  contentType: string
  /** Readers who come sooner than this after another get the same text. */
  restMs: number
  /** All metrics as text. */
  text(): Promise<string>
  /** Hears where it listens. */
  onListen(url: string): void
  /** Hears why it can't listen, or why nothing could be shown. */
  onTrouble(error: unknown): void
  retryEveryMs?: number
  /** Longest time for a request to arrive. */
  requestWithinMs?: number
}

/** Readers of metrics are few. */
const mostConnections = 16

/**
 * Shows the metrics at an address of their own. A port that is taken, by a gateway that is ending perhaps, holds up no start: it is
 * tried again until it is free.
 */
export class MetricsListener {
  readonly #options: ListenerOptions
  readonly #server: Server
  readonly #loop: Loop
  #made: { text: Promise<string>; restUntilMs: number } | null = null

  constructor(options: ListenerOptions) {
    this.#options = options
    const { onTrouble, retryEveryMs = 5_000, requestWithinMs = 5_000 } = options
    this.#server = createServer(
      {
        requestTimeout: requestWithinMs,
        headersTimeout: requestWithinMs,
        // Node looks each half minute unless told otherwise, and silent connections keep Prometheus out so long.
        connectionsCheckingInterval: requestWithinMs / 5
      },
      (request, answer) => this.#answer(request, answer)
    )
    this.#server.maxConnections = mostConnections
    this.#server.unref()
    // Without a listener an error of a connection that comes later would end the process.
    this.#server.on('error', error => this.#server.listening && onTrouble(error))
    this.#loop = new Loop({
      round: () => this.#listen(),
      everyMs: retryEveryMs,
      onTrouble
    })
  }

  /** Resolves when it listens. When it can't, that is told, and tried again. */
  async start(): Promise<void> {
    await this.#listen().catch(error => {
      this.#options.onTrouble(error)
      this.#loop.start()
    })
  }

  async close(): Promise<void> {
    await this.#loop.close()
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #listen(): Promise<void> {
    const { host, port, onListen } = this.#options
    if (this.#server.listening) return
    this.#server.listen({ host, port })
    await once(this.#server, 'listening')
    const { port: at } = this.#server.address() as AddressInfo
    void this.#loop.close()
    onListen(`http://${host.includes(':') ? `[${host}]` : host}:${at}/metrics`)
  }

  async #answer({ method, url }: IncomingMessage, answer: ServerResponse): Promise<void> {
    const isRead = method === 'GET' && url?.split('?')[0] === '/metrics'
    if (!isRead) {
      answer.writeHead(404).end('GET /metrics is all that there is\n')
      return
    }
    try {
      const text = await this.#text()
      answer.writeHead(200, { 'content-type': this.#options.contentType, 'cache-control': 'no-store' }).end(text)
    } catch (error) {
      this.#options.onTrouble(error)
      answer.writeHead(500).end()
    }
  }

  #text(): Promise<string> {
    if (this.#made !== null && performance.now() < this.#made.restUntilMs) return this.#made.text
    const { text, restMs } = this.#options
    const made = { text: text(), restUntilMs: Number.POSITIVE_INFINITY }
    const rest = (): void => {
      made.restUntilMs = performance.now() + restMs
    }
    made.text.then(rest, rest)
    this.#made = made
    return made.text
  }
}
