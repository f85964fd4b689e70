import { randomUUID } from 'node:crypto'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController
} from 'fastify'
import type { Observer } from '../domain/observer.ts'
import { longestWaitSeconds } from '../domain/runs/wait.ts'
import { refuseBytes } from './answer/errors.ts'
import type { OpenApiOptions } from './answer/openapi.ts'
import { compiledOnce } from './answer/serializer.ts'
import { leftToUs } from './connection/own-answers.ts'
import type { LimitOptions } from './limits/rate-limit.ts'
import type { clientAddresses } from './request/client-address.ts'
import type { CrossOriginOptions } from './request/cross-origin.ts'
import { withoutLastSlash } from './request/last-slash.ts'
import { logRequests } from './request/log-requests.ts'
import { observeRequests } from './request/observed.ts'
import { decorateRequests, plainId } from './request/request.ts'
import { fromSecondMount } from './request/second-mount.ts'

export interface ServerOptions {
  /** Longest time for a known connection to stay unused. */
  keepAliveMs: number
  /** Beyond it the handler of a request is stuck. */
  handlerTimeoutMs: number
  logger: FastifyBaseLogger
  /** Absent where there are no metrics. */
  observer?: Observer | undefined
  /** One request of so many has a line in the log; null: none has. */
  logRequestsOneIn: number | null
  /** Answers a request whose address cannot be read, so that no hook has seen it. */
  refuseAddress(error: FastifyError, request: FastifyRequest, reply: FastifyReply): unknown
}

/** Settings of the HTTP side, as they are configured. */
export interface HttpSettings extends Pick<ServerOptions, 'keepAliveMs' | 'handlerTimeoutMs' | 'logRequestsOneIn'> {
  limits: Omit<LimitOptions, 'clock' | 'addressOf'>
  /** Requests of one tenant at the same time. */
  maxInFlight: number
  /** Streams of one tenant at the same time. */
  maxStreams: number
  trustedProxies: Parameters<typeof clientAddresses>[0]
  corsOrigins: CrossOriginOptions['corsOrigins']
  docs: OpenApiOptions['docs']
  prefill?: OpenApiOptions['prefill']
}

/** Longest time for a request to arrive, from its first byte to its last. */
const requestTimeoutMs = 30_000

/** Fastify with the facts of each request, and without any other hook but those that only look: how long it waits, how much it reads, and how it reads addresses and ids. */
export function server({
  keepAliveMs,
  handlerTimeoutMs,
  logger,
  observer,
  logRequestsOneIn,
  refuseAddress
}: ServerOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 64 * 1024,
    requestTimeout: requestTimeoutMs,
    // Node would take a longer time for the head as that of the whole request. It also looks for late requests only each half
    // minute unless told otherwise, when they are twice as late.
    http: { ...leftToUs, headersTimeout: requestTimeoutMs, connectionsCheckingInterval: 1_000 },
    handlerTimeout: handlerTimeoutMs,
    // `connection/connections.ts` closes the connections of strangers earlier.
    keepAliveTimeout: keepAliveMs,
    // By then every call has had its answer (`gateway.ts`): what is open still is a connection that nobody uses.
    forceCloseConnections: true,
    // Sockets on which nothing moves, such as one whose answer nobody reads. A call with `wait=live` is none of them.
    connectionTimeout: handlerTimeoutMs + longestWaitSeconds * 1_000 + 5_000,
    return503OnClosing: false,
    genReqId: request => plainId(request.headers['x-request-id']) ?? randomUUID(),
    requestIdHeader: false,
    // A logger for each request would cost more than most requests: what is logged of one names its id (`answer/errors.ts`).
    childLoggerFactory: logger => logger,
    // Longer than any request line can be, so that every id meets its pattern and none another refusal.
    routerOptions: { maxParamLength: 16 * 1024 },
    rewriteUrl: request => withoutLastSlash(fromSecondMount(request)),
    schemaController: { compilersFactory: { buildSerializer: compiledOnce } },
    frameworkErrors: refuseAddress,
    clientErrorHandler: refuseBytes
  })
  if (observer !== undefined) observeRequests(app, observer)
  if (logRequestsOneIn !== null) logRequests(app, { oneIn: logRequestsOneIn })
  decorateRequests(app)
  return app
}
