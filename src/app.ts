import type { FastifyInstance } from 'fastify'
import { errorHandler, notFound, sendFailure } from './http/answer/errors.ts'
import { openapi } from './http/answer/openapi.ts'
import { refuseUnknown, validator } from './http/answer/validator.ts'
import { awaitBodies } from './http/connection/awaited-body.ts'
import { dropBodies } from './http/connection/dropped-body.ts'
import { keepAlive, refuseWhileDraining } from './http/connection/keep-alive.ts'
import { ownAnswers, plainOptions } from './http/connection/own-answers.ts'
import { type LimitOptions, limits } from './http/limits/rate-limit.ts'
import { refusedStops } from './http/limits/refused-stops.ts'
import { tenantsInFlight } from './http/limits/tenants-in-flight.ts'
import { type AuditDeps, audit } from './http/request/audit.ts'
import { authenticate, type KnownCallers, keyGuard, remembered } from './http/request/authenticate.ts'
import { jsonBodies } from './http/request/body.ts'
import { clientAddresses } from './http/request/client-address.ts'
import { crossOrigin } from './http/request/cross-origin.ts'
import { freshlyAllowed } from './http/request/freshly-allowed.ts'
import { type IdempotencyDeps, idempotency } from './http/request/idempotency.ts'
import { type OwnershipDeps, ownership } from './http/request/ownership.ts'
import { security } from './http/request/security.ts'
import { vendorCalls } from './http/request/vendor-calls.ts'
import { waitForLive } from './http/request/wait-for-live.ts'
import { wrapHandlers } from './http/request/wrap-handlers.ts'
import { type HttpSettings, type ServerOptions, server } from './http/server.ts'
import * as routes from './routes/index.ts'

export interface Deps
  extends Pick<KnownCallers, 'directory' | 'tracing' | 'load' | 'noteUse' | 'clock'>,
    Pick<ServerOptions, 'logger' | 'observer'> {
  services: routes.Services
  health: routes.Health
  settings: HttpSettings
  /** Counts the calls of tenants over all replicas, where there are several. */
  counter?: LimitOptions['counter']
  connections: Parameters<typeof keepAlive>[1] & KnownCallers['connections'] & { readonly most: number }
  adopt: OwnershipDeps['adopt']
  runs: OwnershipDeps['runs']
  participants: OwnershipDeps['participants']
  /** Earlier operations under the same idempotency key. */
  replays: Pick<IdempotencyDeps, 'operations' | 'reconcileNow'>
  appendEvent: AuditDeps['append']
  fingerprint(kind: 'idempotency_key' | 'request' | 'key', text: string): string
  draining(): boolean
}

/** The table of contents: from top to bottom, this is what happens to a request. */
export async function buildApp(deps: Deps): Promise<FastifyInstance> {
  const { services, settings, connections, directory, tracing, clock, logger, fingerprint, draining } = deps
  const addressOf = clientAddresses(settings.trustedProxies, logger)
  const app = server({
    ...settings,
    logger,
    observer: deps.observer,
    // An address that cannot be read is nobody's call: it counts like those without a key.
    refuseAddress(error, request, reply) {
      hintKeepAlive(reply)
      secure(reply)
      allowOrigin(request, reply)
      const send = (failure: unknown) => sendFailure(failure, request, reply)
      return limit.address(request, reply).then(() => send(error), send)
    }
  })

  const hintKeepAlive = keepAlive(app, connections)
  awaitBodies(app)
  audit(app, { append: deps.appendEvent, fingerprint: text => fingerprint('idempotency_key', text), addressOf, clock })
  jsonBodies(app)
  validator(app)
  errorHandler(app)
  const secure = security(app)
  const limit = await limits(app, { ...settings.limits, counter: deps.counter, addressOf, clock })
  const allowOrigin = await crossOrigin(app, {
    corsOrigins: settings.corsOrigins,
    countPreflight: limit.preflight,
    plainOptions: plainOptions(app, { countAddress: limit.address, draining })
  })
  ownAnswers(app, limit.address)
  const inFlight = tenantsInFlight({ ...settings, most: Math.floor(connections.most / 2) })
  const known = {
    ...{ directory, tracing, load: deps.load, limits: limit, inFlight, connections, addressOf, clock },
    noteUse: deps.noteUse,
    fingerprint: remembered(digest => fingerprint('key', digest))
  }
  notFound(app, limit.address)
  await openapi(app, { ...settings, requireKey: keyGuard(known), countAddress: limit.address })
  routes.keylessRoutes(app, deps.health)
  const callsOfVendors = async (scope: FastifyInstance) => {
    refuseWhileDraining(scope, draining)
    routes.webhookRoutes(scope, { ...services, vouch: vendorCalls(scope, { ...services, ...known }) })
  }
  await app.register(callsOfVendors, { prefix: '/webhooks' })
  /** Puts everything in front of routes that need a key. */
  const behindKey = (register: (scope: FastifyInstance) => void) => async (scope: FastifyInstance) => {
    dropBodies(scope)
    refuseWhileDraining(scope, draining)
    authenticate(scope, known)
    refuseUnknown(scope)
    ownership(scope, deps)
    const beginStop = refusedStops(scope, limit)
    const once = idempotency(scope, { ...deps.replays, fingerprint })
    freshlyAllowed(scope, deps)
    notFound(scope)
    const waits = waitForLive({ ...settings, ...services, inFlight, clock })
    // Outermost first: a replay waits too, and neither begins a stop nor is work.
    wrapHandlers(scope, [waits, once, beginStop, inFlight.whileAtWork])
    register(scope)
  }
  const vendors = (scope: FastifyInstance) => routes.vendorRoutes(scope, { ...services, spendWrite: limit.spendWrite })
  await app.register(behindKey(vendors), { prefix: '/v2' })
  const own = behindKey(scope => routes.ownRoutes(scope, { ...services, left: limit.left, inFlight }))
  await app.register(own, { prefix: '/gateway' })
  return app
}
