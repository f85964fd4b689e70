import { buildConnector, type Dispatcher, errors, Pool, ProxyAgent } from 'undici'
import type { OutgoingProxy } from '../../domain/upstream-account.ts'

export interface ConnectionsOptions {
  /** The origin of the vendor, e.g. `https://api.dyte.io`. */
  origin: string
  /** Most connections at a time; further calls wait for one. */
  connections: number
  /** False: one for each call. */
  keepAlive: boolean
  /** Extra trusted certificate authorities in PEM, for the vendor and for a proxy. */
  ca?: string | undefined
  /** The connections are tunnels through this proxy (`CONNECT`): TLS is with the vendor, and the proxy sees nothing of a call. */
  proxy?: OutgoingProxy | undefined
  /** Longest time to open a connection, a tunnel and its TLS included. */
  connectWithinMs?: number
}

/** No answer of the vendor comes near it; without it a broken one could fill the memory. */
const maxAnswerBytes = 1024 * 1024

/** Connections to one origin, TLS verified. A call for which none could be opened fails with `NeverConnected`. */
export function openConnections(options: ConnectionsOptions): Dispatcher {
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
export class NeverConnected extends Error {}

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
export function plain(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(plain).join('; ')
  if (!(error instanceof Error)) return 'unknown'
  const code = 'code' in error && error.code !== undefined ? ` ${error.code}` : ''
  return `${error.name}${code}: ${error.message}`
}
