import { buildConnector, type Dispatcher, errors, Pool, ProxyAgent } from 'undici'
import {
  type Failure,
  type Outcome,
  UpstreamMalformed,
  UpstreamTooLate,
  UpstreamUnavailable,
  UpstreamUnreachable
} from '../../domain/refusals/failures.ts'
import type { OutgoingProxy } from '../../domain/upstream-account.ts'
import { traceFields } from '../../tracing/trace.ts'
import {
  cloudflareEdge,
  isThrottled,
  meansNotThere,
  type RefusalReader,
  readRetryAfter,
  readVendorLimit,
  refusalOf,
  strangersWord,
  type VendorLimit
} from '../contract/refusals.ts'
import { type Own, reasonOf } from '../contract/vendor-words.ts'
import type { Call, OpenCall, RawVendorAnswer, VendorAnswer } from './call.ts'
import { lastCheck, SentTooLate } from './last-check.ts'

export interface ClientOptions {
  /** The vendor's address with its path, e.g. `https://api.dyte.io/v2`. The origin is fixed: no answer can lead elsewhere. */
  baseUrl: URL
  /** Connections at most; further calls wait for one, within their signal. */
  connections?: number
  /** False: a connection for each call, so that no late answer of another call can be taken for its own. */
  keepAlive?: boolean
  /** Extra trusted certificate authorities in PEM, for the vendor and for a proxy; for tests against own ones. */
  ca?: string
  /** The connections are tunnels through this proxy (`CONNECT`): TLS is with the vendor, and the proxy sees nothing of a call. */
  proxy?: OutgoingProxy | undefined
  /** Longest time until a connection stands, a tunnel and its TLS included. */
  connectWithinMs?: number
  /** The vendor's refusals. Default: those of the vendors whose API stands behind Cloudflare's edge. */
  refusals?: RefusalReader
  /** Hears what the vendor says is left of its quota, with each answer that says so. */
  onLimit?(limit: VendorLimit): void
  /** Hears the vendor's clock, with each answer that tells it. */
  onDate?(dateMs: number): void
}

/** One vendor account over HTTP: fixed origin, no redirects, no retries, TLS verified. This file alone knows undici. */
export class UpstreamClient {
  readonly #connections: Dispatcher
  readonly #origin: string
  readonly #basePath: string
  readonly #refusals: RefusalReader
  readonly #onLimit: (limit: VendorLimit) => void
  readonly #onDate: (dateMs: number) => void

  constructor({ baseUrl, connections = 64, keepAlive = true, refusals = cloudflareEdge, ...given }: ClientOptions) {
    const { onLimit, onDate, ...way } = given
    this.#origin = baseUrl.origin
    this.#connections = openConnections({ ...way, origin: baseUrl.origin, connections, keepAlive }).compose(lastCheck)
    this.#basePath = baseUrl.pathname.replace(/\/+$/, '')
    this.#refusals = refusals
    this.#onLimit = onLimit ?? (() => {})
    this.#onDate = onDate ?? (() => {})
  }

  /**
   * Sends one call, once, and gives the answer if it is a 2xx, or one of `expected`; everything else is thrown as a Failure
   * of the catalogue, for a mutation with its outcome.
   */
  async call(call: Call, expected: readonly number[] = []): Promise<VendorAnswer> {
    const answer = await this.ask(call)
    const { status, body, dateMs } = answer
    if (status >= 200 && status < 300) return { status, body, dateMs }
    if (expected.includes(404) && meansNotThere(answer, call, this.#refusals)) return { status: 404, body, dateMs }
    const isMutation = call.method !== 'GET'
    const own = ownOf(call, this.#basePath)
    if (expected.includes(status) && (status === 404 ? this.#refusals.isOwnNo(body) : this.#refusals.isOwnWord(body)))
      return { status, body, dateMs, ...(isMutation && { reason: reasonOf(body, own) }) }
    if (expected.includes(status) && this.#refusals.complaintIn(body) === null) throw strangersWord(status, isMutation)
    throw refusalOf(answer, call, own, this.#refusals)
  }

  /** Sends one call, once, and gives the answer as it is. @throws Failure when none comes */
  async ask(call: OpenCall): Promise<RawVendorAnswer> {
    return this.#send(call).catch(error => {
      throw translate(error, call.signal, call.method !== 'GET')
    })
  }

  async close(): Promise<void> {
    await this.#connections.close()
  }

  async #send({ method, path, body, authorization, signal }: OpenCall): Promise<RawVendorAnswer> {
    const {
      statusCode,
      headers,
      body: stream
    } = await this.#connections.request({
      origin: this.#origin,
      method,
      path: this.#basePath + path,
      headers: {
        accept: 'application/json',
        'user-agent': 'livegate',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...traceFields(),
        ...(authorization !== null && { authorization: authorization.reveal() })
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
      // The signal is the bound; these only exist because 0 would mean none at all.
      headersTimeout: 300_000,
      bodyTimeout: 300_000
    })
    const dateMs = typeof headers.date === 'string' ? Date.parse(headers.date) || null : null
    if (dateMs !== null) this.#onDate(dateMs)
    const text = await stream.text()
    const limit = readVendorLimit(headers)
    if (limit !== null) this.#onLimit(limit)
    return {
      status: statusCode,
      body: parse(text),
      throttled: isThrottled(statusCode, headers),
      retryAfterSeconds: readRetryAfter(headers),
      dateMs
    }
  }
}

/** Parts of a call, and of the way to the vendor, that nobody may read in the vendor's words. */
function ownOf({ body, path, authorization }: Call, basePath: string): Own {
  const [, credential = ''] = /^\S+ (.+)$/.exec(authorization.reveal()) ?? []
  const [, org = '', key = ''] = /^([^:]+):(.+)$/s.exec(Buffer.from(credential, 'base64').toString()) ?? []
  // Ids of an account may stand in the address. Its other parts are shorter, and the same for everybody.
  const ids = basePath.split('/').filter(part => part.length > 'realtime'.length)
  return { sent: body, path, secrets: [credential, org, key, ...ids].filter(secret => secret !== '') }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // text that is not JSON fits no schema: the adapter refuses it
  }
}

/** undici's error classes stop here. */
function translate(error: unknown, signal: AbortSignal, mutation: boolean): Failure {
  const ended = (outcome: Outcome) => ({ cause: new Error(plain(error)), ...(mutation && { outcome }) })
  // Closed while it waited: the account was replaced meanwhile.
  const isClosed = error instanceof errors.ClientClosedError || error instanceof errors.ClientDestroyedError
  if (isClosed) return new UpstreamUnavailable(ended('not_sent'))
  if (error instanceof SentTooLate) return new UpstreamTooLate(ended('not_sent'))
  if (error instanceof NeverConnected) return new UpstreamUnreachable(ended('not_sent'))
  if (signal.aborted) return new UpstreamTooLate(ended('unknown'))
  if (notHttp.some(kind => error instanceof kind)) return new UpstreamMalformed(ended('unknown'))
  return new UpstreamUnreachable(ended('unknown'))
}

/** Answers that are too large or no HTTP. */
const notHttp = [errors.ResponseExceededMaxSizeError, errors.HTTPParserError, errors.ResponseContentLengthMismatchError]

interface ConnectionsOptions extends Pick<ClientOptions, 'ca' | 'proxy' | 'connectWithinMs'> {
  origin: string
  connections: number
  keepAlive: boolean
}

/** No answer of the vendor comes near it; without it a broken one could fill the memory. */
const maxAnswerBytes = 1024 * 1024

/** Connections to one origin, TLS verified. A call for which none could be opened fails with `NeverConnected`. */
function openConnections(options: ConnectionsOptions): Dispatcher {
  const { origin, connections, keepAlive, ca, proxy, connectWithinMs = 5_000 } = options
  const connector = {
    timeout: connectWithinMs,
    allowH2: false,
    // A connection for one call does not last long enough to be probed.
    keepAlive,
    // Set here, so that no variable or flag of the process can turn it off.
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2' as const,
    ...(ca !== undefined && { ca })
  }
  const settings = { connections, pipelining: keepAlive ? 1 : 0, allowH2: false, maxResponseSize: maxAnswerBytes }
  if (proxy === undefined) return new Pool(origin, { ...settings, connect: marked(buildConnector(connector)) })
  const { authorization } = proxy
  return new ProxyAgent({
    uri: proxy.origin,
    ...(authorization !== null && { token: authorization.reveal() }),
    allowH2: false,
    proxyTls: connector,
    requestTls: connector,
    factory(_origin, { connect }: { connect?: buildConnector.connector }) {
      return new Pool(origin, {
        ...settings,
        connect: marked(bounded(connect as buildConnector.connector, connectWithinMs))
      })
    }
  })
}

/** No connection was opened, so no byte of the request can have left. */
class NeverConnected extends Error {}

/** Marks errors from before a connection was open: their codes alone do not tell that. */
function marked(connect: buildConnector.connector): buildConnector.connector {
  return (options, done) =>
    connect(options, (...[error, socket]) => {
      if (socket) done(null, socket)
      else done(new NeverConnected(plain(error)), null)
    })
}

/** Limits the whole time to open a tunnel: undici limits each of its parts alone. */
function bounded(connect: buildConnector.connector, withinMs: number): buildConnector.connector {
  return (options, done) => {
    const { signal, ...timeout } = timeoutOf(withinMs)
    let isOver = false
    const end: buildConnector.Callback = (...[error, socket]) => {
      timeout.clear()
      if (isOver) return void socket?.destroy()
      isOver = true
      if (socket) done(null, socket)
      else done(error as Error, null)
    }
    signal.addEventListener('abort', () => end(new errors.ConnectTimeoutError(`no tunnel within ${withinMs} ms`), null))
    // undici's agent hands the signal on to its CONNECT.
    connect({ ...options, signal } as buildConnector.Options, end)
  }
}

function timeoutOf(ms: number): { signal: AbortSignal; clear(): void } {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), ms)
  return { signal: controller.signal, clear: () => clearTimeout(timer) }
}

/** An error as words alone: undici's parser keeps the bytes of the answer in its error, stream keys among them. */
function plain(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(plain).join('; ')
  if (!(error instanceof Error)) return 'unknown'
  const code = 'code' in error && error.code !== undefined ? ` ${error.code}` : ''
  return `${error.name}${code}: ${error.message}`
}
