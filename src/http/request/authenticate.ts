import { timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { type ApiKey, digestKey, parseKey } from '../../domain/api-key.ts'
import { keyRefusal } from '../../domain/caller.ts'
import { ScopeMissing, StoreUnavailable, TenantSuspended, Unauthorized } from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Tracing } from '../../tracing/tracing.ts'
import type { Connections } from '../connection/connections.ts'
import type { LoadWatch } from '../limits/load-watch.ts'
import type { Limits } from '../limits/rate-limit.ts'
import type { TenantsInFlight } from '../limits/tenants-in-flight.ts'
import type { AddressOf } from './client-address.ts'
import { beginTrace, followTraces } from './traces.ts'

/** Time without news from the store after which only stops get in: a revoked key could live on. */
const onlyStopsAfterMs = 60_000

export interface KnownCallers {
  directory: Directory
  limits: Limits
  inFlight: TenantsInFlight
  connections: Pick<Connections, 'keep'>
  addressOf: AddressOf
  tracing: Pick<Tracing, 'ofCall'>
  load: Pick<LoadWatch, 'demandRoom'>
  /** Makes the fingerprint of a key's digest, for the audit log. */
  fingerprint(digest: string): string
  /** Hears of each call with a valid key. */
  noteUse(keyId: string): void
  clock: Clock
}

/**
 * Proves the caller by a key as `Bearer <key>`, or as `Basic <tenant>:<key>` from clients of Dyte. Whatever is wrong with it, the answer
 * is the same 401, and it counts against the client's address; a valid key never does.
 */
export function authenticate(app: FastifyInstance, deps: KnownCallers): void {
  const { directory, limits, inFlight, load, addressOf, tracing, clock } = deps

  app.addHook('onRequest', async (request, reply) => {
    const { tenant, key, keyFingerprint } = await identify(request, reply, deps)
    const markAudited = (): void => {
      request.audited = true
    }
    const trace = beginTrace(request, reply, tracing, clock)
    const facts = { address: addressOf(request).text, requestId: request.id, trace, idempotency: null, markAudited }
    request.caller = { tenant, key, keyFingerprint, ...facts }

    const stopping = request.routeOptions.config.rule?.scope === 'livestreams:stop'
    inFlight.enter(request, reply)
    await limits.tenant(request, reply)
    if (!stopping) load.demandRoom()
    if (!stopping && clock.monotonic() - directory.pulledAtMs > onlyStopsAfterMs) throw new StoreUnavailable()
    // Suspending ends what a tenant can begin, not its way to end it.
    if (tenant.suspended && !stopping) throw new TenantSuspended()
    checkScope(request, key)
  })
  followTraces(app)
}

/** Guards pages that only need some valid key: the browser asks for tenant and key. */
export function keyGuard(deps: KnownCallers): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    reply.header('www-authenticate', 'Basic realm="livegate", charset="UTF-8"')
    await identify(request, reply, deps)
    reply.removeHeader('www-authenticate')
  }
}

/** Remembers fingerprints: a key is shown again and again, a wrong one too, and making one costs more than all other looks at it. */
export function remembered(fingerprint: (digest: string) => string): (digest: string) => string {
  const known = new LRUCache<string, string>(upTo(10_000))
  return digest => {
    const made = known.get(digest) ?? fingerprint(digest)
    known.set(digest, made)
    return made
  }
}

/** @throws Unauthorized, KeyExpired, KeyRevoked, or RateLimited when its address has guessed too often */
async function identify(request: FastifyRequest, reply: FastifyReply, deps: KnownCallers) {
  const { directory, limits, clock } = deps
  const shown = readKey(request.headers.authorization)
  const digest = shown === null ? null : digestKey(shown.key)
  const key = digest === null ? null : findKey(directory, digest)
  request.keyId = key?.id ?? (shown === null ? null : (parseKey(shown.key)?.id ?? null))
  const keyFingerprint = digest === null ? null : deps.fingerprint(digest)
  request.keyFingerprint = keyFingerprint
  request.tenantId = key?.tenantId ?? null
  const tenant = key === null ? null : directory.tenant(key.tenantId)
  const isTenants = tenant !== null && (shown?.tenant == null || shown.tenant === tenant.id)
  const refusal = keyRefusal(isTenants ? key : null, clock.now())
  if (key !== null && tenant !== null && keyFingerprint !== null && refusal === null) {
    deps.connections.keep(reply.raw)
    deps.noteUse(key.id)
    return { key, tenant, keyFingerprint }
  }
  await limits.address(request, reply)
  throw refusal ?? new Unauthorized()
}

function findKey(directory: Directory, digest: string): ApiKey | null {
  const key = directory.keyByDigest(digest)
  if (key === null) return null
  return timingSafeEqual(Buffer.from(key.digest), Buffer.from(digest)) ? key : null
}

/** The key of an `Authorization` header, with the tenant that Basic names; null when there is none. */
function readKey(header: string | undefined): { key: string; tenant: string | null } | null {
  const [, scheme = '', credentials = ''] = /^(Bearer|Basic) +([A-Za-z0-9+/=_.~-]{1,512})$/i.exec(header ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return { key: credentials, tenant: null }
  if (scheme === '') return null
  const [, tenant, key] = /^([^:]*):(.*)$/s.exec(Buffer.from(credentials, 'base64').toString('utf8')) ?? []
  return tenant === undefined || key === undefined ? null : { key, tenant }
}

/** @throws ScopeMissing, naming the scope */
function checkScope(request: FastifyRequest, key: ApiKey): void {
  const scope = request.routeOptions.config.rule?.scope
  if (scope !== undefined && !key.scopes.includes(scope)) {
    const message = `The key lacks the scope ${scope}`
    throw new ScopeMissing({ message, details: [{ field: 'scope', message: `${scope} is needed` }] })
  }
}
