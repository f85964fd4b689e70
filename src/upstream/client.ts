import { buildConnector, errors, Pool } from 'undici'
import {
  type Failure,
  type Outcome,
  UpstreamMalformed,
  UpstreamTooLate,
  UpstreamUnavailable,
  UpstreamUnreachable
} from '../domain/failures.ts'
import type { Secret } from '../domain/secret.ts'
import { edgeComplaint, isOwnNo, isOwnWord } from './edge-errors.ts'
import { meansNotThere, refusalOf, strangersWord } from './refusals.ts'
import { isThrottled, readRetryAfter, readVendorLimit, type VendorLimit } from './vendor-limit.ts'
import { type Own, reasonOf } from './vendor-words.ts'

export interface ClientOptions {
  /** The vendor's address with its path, e.g. `https://api.dyte.io/v2`. The origin is fixed: no answer can lead elsewhere. */
  baseUrl: URL
  /** Connections at most; further calls wait for one, within their signal. */
  connections?: number
  /** False: a connection for each call, so that no late answer of another call can be taken for its own. */
  keepAlive?: boolean
  /** Extra trusted certificate authorities in PEM; for tests against an own one. */
  ca?: string
  /** Hears what the vendor says is left of its quota, with each answer that says so. */
  onLimit?(limit: VendorLimit): void
  /** Hears the vendor's clock, with each answer that tells it. */
  onDate?(dateMs: number): void
}

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH'
  /** Made by the `path` tag, relative to the base address; a query may follow. */
  path: string
  body?: object
  /** The whole value of `Authorization`. It is added here, last, and nowhere else. */
  authorization: Secret
  /** Bounds the whole call, from waiting for a connection to the last byte: undici's own time-outs restart with each chunk. */
  signal: AbortSignal
}

/** What the vendor said, as JSON when it was JSON. */
export interface Answer {
  status: number
  body: unknown
  /** The vendor's clock, in whole seconds; null when it didn't say. */
  dateMs: number | null
  /** Why a mutation was refused, in the vendor's own words, cleaned. */
  reason?: string | undefined
}

/** An answer of any kind, with what its fields say of it. */
export interface RawAnswer extends Answer {
  throttled: boolean
  retryAfterSeconds: number
}

/** No answer of the vendor comes near it; without it a broken one could fill the memory. */
const maxAnswerBytes = 1024 * 1024

/** One vendor account over HTTP: fixed origin, no redirects, no retries, TLS verified. The only file that knows undici. */
export class UpstreamClient {
  readonly #pool: Pool
  readonly #basePath: string
  readonly #onLimit: (limit: VendorLimit) => void
  readonly #onDate: (dateMs: number) => void

  constructor({ baseUrl, connections = 64, keepAlive = true, ca, onLimit, onDate }: ClientOptions) {
    // Said aloud, so that no variable or flag of the process can take it back.
    const tls = { rejectUnauthorized: true, minVersion: 'TLSv1.2' as const, ...(ca !== undefined && { ca }) }
    // A connection for one call does not last long enough to be probed.
    const connect = buildConnector({ timeout: 5_000, allowH2: false, keepAlive, ...tls })
    this.#pool = new Pool(baseUrl.origin, {
      connections,
      pipelining: keepAlive ? 1 : 0,
      allowH2: false,
      maxResponseSize: maxAnswerBytes,
      // What fails here failed before a connection stood; a code alone would not tell that.
      connect: (options, done) =>
        connect(options, (...[error, socket]) => {
          if (error === null) done(null, socket)
          else done(new NeverConnected(plain(error)), null)
        })
    })
    this.#basePath = baseUrl.pathname.replace(/\/+$/, '')
    this.#onLimit = onLimit ?? (() => {})
    this.#onDate = onDate ?? (() => {})
  }

  /**
   * Sends one call, once, and gives the answer if it is a 2xx, or one of `expected`; everything else is thrown as a Failure
   * of the catalogue, for a mutation with its outcome.
   */
  async call(call: Call, expected: readonly number[] = []): Promise<Answer> {
    const answer = await this.ask(call)
    const { status, body, dateMs } = answer
    if (status >= 200 && status < 300) return { status, body, dateMs }
    if (expected.includes(404) && meansNotThere(answer, call)) return { status: 404, body, dateMs }
    const isMutation = call.method !== 'GET'
    const own = ownOf(call, this.#basePath)
    if (expected.includes(status) && (status === 404 ? isOwnNo(body) : isOwnWord(body)))
      return { status, body, dateMs, ...(isMutation && { reason: reasonOf(body, own) }) }
    if (expected.includes(status) && edgeComplaint(body) === null) throw strangersWord(status, isMutation)
    throw refusalOf(answer, call, own)
  }

  /** Sends one call, once, and gives the answer as it is. @throws Failure when none comes */
  async ask(call: Call): Promise<RawAnswer> {
    return this.#send(call).catch(error => {
      throw translate(error, call.signal, call.method !== 'GET')
    })
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  async #send({ method, path, body, authorization, signal }: Call): Promise<RawAnswer> {
    const {
      statusCode,
      headers,
      body: stream
    } = await this.#pool.request({
      method,
      path: this.#basePath + path,
      headers: {
        accept: 'application/json',
        'user-agent': 'livegate',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        authorization: authorization.reveal()
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
  // Account and app in RealtimeKit's address: its other parts are shorter, and the same for everybody.
  const ids = basePath.split('/').filter(part => part.length > 'realtime'.length)
  return { sent: body, path, secrets: [credential, org, key, ...ids].filter(secret => secret !== '') }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // what is not JSON fits no schema: the adapter refuses it
  }
}

/** No connection came to stand: no byte of the request can have left. */
class NeverConnected extends Error {}

/** undici's error classes stop here. */
function translate(error: unknown, signal: AbortSignal, mutation: boolean): Failure {
  const ended = (outcome: Outcome) => ({ cause: new Error(plain(error)), ...(mutation && { outcome }) })
  // Closed while it waited: the account was replaced meanwhile.
  const isClosed = error instanceof errors.ClientClosedError || error instanceof errors.ClientDestroyedError
  if (isClosed) return new UpstreamUnavailable(ended('not_sent'))
  if (error instanceof NeverConnected) return new UpstreamUnreachable(ended('not_sent'))
  if (signal.aborted) return new UpstreamTooLate(ended('unknown'))
  if (notHttp.some(kind => error instanceof kind)) return new UpstreamMalformed(ended('unknown'))
  return new UpstreamUnreachable(ended('unknown'))
}

/** Answers that are too large or no HTTP. */
const notHttp = [errors.ResponseExceededMaxSizeError, errors.HTTPParserError, errors.ResponseContentLengthMismatchError]

/** An error as words alone: undici's parser keeps the bytes of the answer in its error, stream keys among them. */
function plain(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(plain).join('; ')
  if (!(error instanceof Error)) return 'unknown'
  const code = 'code' in error && error.code !== undefined ? ` ${error.code}` : ''
  return `${error.name}${code}: ${error.message}`
}
