import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, LogController } from 'fastify'
import type { Fingerprint } from './audit/keys/key-files.ts'
import type { Occurrence } from './audit/rollup.ts'
import { ShuttingDown } from './domain/refusals/failures.ts'
import type { Network } from './domain/values/address.ts'
import type { Clock } from './domain/values/clock.ts'
import { errorHandler, notFound, refuseBytes, sendFailure } from './http/answer/errors.ts'
import { type DocsAccess, openapi } from './http/answer/openapi.ts'
import { compiledOnce } from './http/answer/serializer.ts'
import { refuseUnknown, validator } from './http/answer/validator.ts'
import { awaitBodies } from './http/connection/awaited-body.ts'
import type { Connections } from './http/connection/connections.ts'
import { dropBodies } from './http/connection/dropped-body.ts'
import { leftToUs, ownAnswers, plainOptions } from './http/connection/own-answers.ts'
import { type LimitOptions, limits } from './http/limits/rate-limit.ts'
import { refusedStops } from './http/limits/refused-stops.ts'
import { tenantsInFlight } from './http/limits/tenants-in-flight.ts'
import { audit } from './http/request/audit.ts'
import { authenticate, keyGuard, remembered } from './http/request/authenticate.ts'
import { jsonBodies } from './http/request/body.ts'
import { addressReader } from './http/request/client-address.ts'
import { crossOrigin } from './http/request/cross-origin.ts'
import { freshlyAllowed } from './http/request/freshly-allowed.ts'
import { type IdempotencyDeps, idempotency } from './http/request/idempotency.ts'
import { withoutLastSlash } from './http/request/last-slash.ts'
import { type OwnershipDeps, ownership } from './http/request/ownership.ts'
import { decorateRequests, plainId } from './http/request/request.ts'
import { fromSecondMount } from './http/request/second-mount.ts'
import { security } from './http/request/security.ts'
import type { StartOnce } from './lifecycle/broadcast/start.ts'
import type { Stop } from './lifecycle/broadcast/stop.ts'
import type { ActiveReads } from './lifecycle/reads/active-reads.ts'
import type { TenantAnalytics } from './lifecycle/resources/analytics.ts'
import type { LivestreamChanges } from './lifecycle/resources/livestream-changes.ts'
import type { TenantLivestreams } from './lifecycle/resources/livestreams.ts'
import type { TenantMeetings } from './lifecycle/resources/meetings.ts'
import type { TenantRuns } from './lifecycle/resources/runs.ts'
import type { TenantStage } from './lifecycle/resources/stage.ts'
import { getAnalytics } from './routes/analytics/get-analytics.ts'
import { getDaywiseAnalytics } from './routes/analytics/get-daywise-analytics.ts'
import { FailureAnswer } from './routes/answer.ts'
import type { TypeBox } from './routes/api.ts'
import { getUsage } from './routes/gateway/get-usage.ts'
import { type AuditTrail, listAuditEvents } from './routes/gateway/list-audit-events.ts'
import { type Health, health } from './routes/health.ts'
import { createLivestream } from './routes/livestreams/create-livestream.ts'
import { disableLivestream } from './routes/livestreams/disable-livestream.ts'
import { enableLivestream } from './routes/livestreams/enable-livestream.ts'
import { getActiveLivestream } from './routes/livestreams/get-active-livestream.ts'
import { getActiveLivestreamSession } from './routes/livestreams/get-active-livestream-session.ts'
import { getLivestream } from './routes/livestreams/get-livestream.ts'
import { getLivestreamSession } from './routes/livestreams/get-livestream-session.ts'
import { getMeetingLivestream } from './routes/livestreams/get-meeting-livestream.ts'
import { listLivestreams } from './routes/livestreams/list-livestreams.ts'
import { listMeetingLivestreams } from './routes/livestreams/list-meeting-livestreams.ts'
import { resetStreamKey } from './routes/livestreams/reset-stream-key.ts'
import { startLivestream } from './routes/livestreams/start-livestream.ts'
import { stopLivestream } from './routes/livestreams/stop-livestream.ts'
import { createMeeting } from './routes/meetings/create-meeting.ts'
import { getMeeting } from './routes/meetings/get-meeting.ts'
import { listMeetings } from './routes/meetings/list-meetings.ts'
import { replaceMeeting } from './routes/meetings/replace-meeting.ts'
import { updateMeeting } from './routes/meetings/update-meeting.ts'
import { getActiveSession } from './routes/sessions/get-active-session.ts'
import { kickAllParticipants } from './routes/sessions/kick-all-participants.ts'
import { kickParticipants } from './routes/sessions/kick-participants.ts'
import { listSessionLivestreams } from './routes/sessions/list-session-livestreams.ts'
import { muteAllParticipants } from './routes/sessions/mute-all-participants.ts'
import { muteParticipants } from './routes/sessions/mute-participants.ts'
import type { Directory } from './store/memory/directory.ts'

export interface Deps {
  directory: Directory
  auditEvents: AuditTrail
  appendEvent(call: Occurrence): void
  fingerprint: Fingerprint
  adopt: OwnershipDeps['adopt']
  operations: IdempotencyDeps['operations']
  reconcileNow: IdempotencyDeps['reconcileNow']
  readActive: ActiveReads['read']
  start: StartOnce
  stop: Stop
  livestreams: TenantLivestreams
  livestreamChanges: LivestreamChanges
  runs: TenantRuns
  stage: TenantStage
  analytics: TenantAnalytics
  meetings: TenantMeetings
  health: Health
  draining(): boolean
  connections: Connections
  /** How long a known connection may stay unused. */
  keepAliveMs: number
  clock: Clock
  limits: Omit<LimitOptions, 'clock' | 'addressOf'>
  /** Requests of one tenant at the same time. */
  maxInFlight: number
  trustedProxies: readonly Network[]
  corsOrigins: readonly string[]
  docs: DocsAccess
  /** Beyond it the handler of a request is stuck. */
  handlerTimeoutMs: number
  logger: FastifyBaseLogger
}

/** Longest time for a request to arrive, from its first byte to its last. */
const requestTimeoutMs = 30_000

/** The table of contents: from top to bottom, this is what happens to a request. */
export async function buildApp(deps: Deps): Promise<FastifyInstance> {
  const { directory, clock } = deps
  const addressOf = addressReader(deps.trustedProxies, ({ text }) =>
    deps.logger.warn(
      { proxy: text },
      'a trusted proxy sends an X-Forwarded-For that is no address: its clients count as one'
    )
  )
  const app = Fastify({
    loggerInstance: deps.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 64 * 1024,
    requestTimeout: requestTimeoutMs,
    // Node would take a longer time for the head as that of the whole request. And it looks for late requests only each half minute
    // unless told otherwise, when they are twice as late.
    http: { ...leftToUs, headersTimeout: requestTimeoutMs, connectionsCheckingInterval: 1_000 },
    handlerTimeout: deps.handlerTimeoutMs,
    // `http/connection/connections.ts` closes the connections of strangers earlier.
    keepAliveTimeout: deps.keepAliveMs,
    // By then every call has had its answer (`gateway.ts`): what is open still is a connection that nobody uses.
    forceCloseConnections: true,
    // Sockets on which nothing moves, such as one whose answer nobody reads.
    connectionTimeout: deps.handlerTimeoutMs + 5_000,
    return503OnClosing: false,
    genReqId: request => plainId(request.headers['x-request-id']) ?? randomUUID(),
    requestIdHeader: false,
    // A logger for each request would cost more than most requests: what is logged of one names its id (`http/answer/errors.ts`).
    childLoggerFactory: logger => logger,
    // Longer than any request line can be, so that every id meets its pattern and none another refusal.
    routerOptions: { maxParamLength: 16 * 1024 },
    rewriteUrl: request => withoutLastSlash(fromSecondMount(request)),
    schemaController: { compilersFactory: { buildSerializer: compiledOnce } },
    // What is not even an address is nobody's call: it counts like those without a key.
    frameworkErrors: (error, request, reply) => {
      hintKeepAlive(reply)
      secure(reply)
      allowOrigin(request, reply)
      return limit.address(request, reply).then(
        () => sendFailure(error, request, reply),
        refused => sendFailure(refused, request, reply)
      )
    },
    clientErrorHandler: refuseBytes
  })
  deps.connections.watch(app.server)
  decorateRequests(app)

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done()
  })
  const hintKeepAlive = (reply: FastifyReply): void => {
    const hint = deps.connections.hint(reply.raw)
    if (hint !== null) reply.header('keep-alive', hint)
  }
  app.addHook('onSend', (_request, reply, _payload, done) => {
    hintKeepAlive(reply)
    done()
  })
  awaitBodies(app)
  const idempotencyFingerprint = (text: string): string => deps.fingerprint('idempotency_key', text)
  audit(app, { append: deps.appendEvent, fingerprint: idempotencyFingerprint, addressOf, clock })
  jsonBodies(app)
  validator(app)
  errorHandler(app)
  app.addSchema(FailureAnswer)
  const secure = security(app)
  const limit = await limits(app, { ...deps.limits, addressOf, clock })
  const allowOrigin = await crossOrigin(app, {
    corsOrigins: deps.corsOrigins,
    countPreflight: limit.preflight,
    plainOptions: plainOptions(app, { countAddress: limit.address, draining: deps.draining })
  })
  ownAnswers(app, limit.address)
  const busy = tenantsInFlight(app, deps.maxInFlight)
  const fingerprint = remembered(digest => deps.fingerprint('key', digest))
  const known = { directory, limits: limit, busy, connections: deps.connections, addressOf, fingerprint, clock }
  notFound(app, limit.address)
  await openapi(app, { docs: deps.docs, requireKey: keyGuard(known), countAddress: limit.address })
  health(app.withTypeProvider<TypeBox>(), deps.health)

  /** Everything behind a key. */
  const tenantApi = (routes: (api: FastifyInstance) => void) => async (scope: FastifyInstance) => {
    dropBodies(scope)
    scope.addHook('onRequest', async () => {
      if (deps.draining()) throw new ShuttingDown({ retryAfterSeconds: 1 })
    })
    authenticate(scope, known)
    refuseUnknown(scope)
    ownership(scope, deps)
    refusedStops(scope, limit)
    idempotency(scope, deps)
    freshlyAllowed(scope, deps)
    notFound(scope)
    routes(scope)
  }

  const vendorApi = tenantApi(scope => {
    const api = scope.withTypeProvider<TypeBox>()
    startLivestream(api, deps)
    getActiveLivestream(api, deps)
    stopLivestream(api, { stop: deps.stop, spendWrite: limit.spendWrite })
    listMeetingLivestreams(api, deps)
    listLivestreams(api, deps)
    getLivestream(api, deps)
    createLivestream(api, deps)
    enableLivestream(api, deps)
    disableLivestream(api, deps)
    resetStreamKey(api, deps)
    getActiveLivestreamSession(api, deps)
    getLivestreamSession(api, deps)
    getMeetingLivestream(api, deps)
    listSessionLivestreams(api, deps)
    getActiveSession(api, deps)
    kickParticipants(api, deps)
    kickAllParticipants(api, deps)
    muteParticipants(api, deps)
    muteAllParticipants(api, deps)
    getAnalytics(api, deps)
    getDaywiseAnalytics(api, deps)
    createMeeting(api, deps)
    listMeetings(api, deps)
    getMeeting(api, deps)
    updateMeeting(api, deps)
    replaceMeeting(api, deps)
  })
  await app.register(vendorApi, { prefix: '/v2' })

  const ownApi = tenantApi(scope => {
    const api = scope.withTypeProvider<TypeBox>()
    listAuditEvents(api, deps)
    getUsage(api, { livestreams: deps.livestreams, left: limit.left, inFlight: busy })
  })
  await app.register(ownApi, { prefix: '/gateway' })

  return app
}
