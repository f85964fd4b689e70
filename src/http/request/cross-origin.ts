import cors from '@fastify/cors'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { upTo } from '../../domain/values/cache-size.ts'
import type { PlainOptions } from '../connection/own-answers.ts'

export interface CrossOriginOptions {
  /** Pages of these may call, letter by letter. */
  corsOrigins: readonly string[]
  /** Counts a preflight. @throws RateLimited */
  countPreflight(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Answers an OPTIONS that is no preflight of a listed page. */
  plainOptions: PlainOptions
}

/** Header fields that a page of another origin may read. */
const exposedHeaders = [
  'X-Request-Id',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Idempotency-Replayed',
  'Livegate-Run',
  'Cache-Status',
  'Age'
]
const usualHeaders = ['Authorization', 'Content-Type', 'Idempotency-Key', 'X-Request-Id']

/** Fields with which a page could say where a call comes from, or who makes it. */
const forbidden = /^(?:cookie|forwarded|x-forwarded-.*|x-real-ip)$/i
const token = /^[\w!#$%&'*+.^`|~-]+$/
const longestAskedFor = 2_048
const mostNames = 64

/** Pages that have called from elsewhere are told of once each, and so many at most. */
const toldOrigins = 100
const stop = /\/active-livestream\/stop\/?(?:\?|$)/

/**
 * Lets pages of the listed origins call; no cookies are ever used. SDKs send fields of their own, so a preflight allows what it asks for.
 * Gives what sets the fields of an answer that no hook has seen.
 */
export async function crossOrigin(
  app: FastifyInstance,
  { corsOrigins, countPreflight, plainOptions }: CrossOriginOptions
): Promise<(request: FastifyRequest, reply: FastifyReply) => void> {
  const told = new LRUCache<string, true>(upTo(toldOrigins))
  const isListed = (origin: string): boolean => corsOrigins.includes(origin)

  // Not a promise: what breaks behind a head would then come before the hooks that wait for it.
  app.addHook('onRequest', (request, reply, done) => {
    const { origin, host } = request.headers
    if (origin !== undefined && !isListed(origin)) {
      // A page of this gateway's own, such as Swagger UI, is no stranger.
      if (URL.parse(origin)?.host !== host && !told.has(origin) && told.size < toldOrigins) {
        told.set(origin, true)
        app.log.warn(
          { event: 'origin_refused', origin: origin.slice(0, 200) },
          'a page called whose origin is not in LIVEGATE_CORS_ORIGINS'
        )
      }
    }
    if (request.method !== 'OPTIONS') return done()
    const asks = request.headers['access-control-request-method'] !== undefined
    if (origin === undefined || !isListed(origin) || !asks) {
      allowOrigin(request, reply)
      return void plainOptions.answer(request, reply).catch(done)
    }
    reply.header('vary', 'Access-Control-Request-Headers')
    if (!stop.test(request.url)) return void countPreflight(request, reply).then(() => done(), done)
    done()
  })

  const allowOrigin = ({ headers: { origin } }: FastifyRequest, reply: FastifyReply): void => {
    if (corsOrigins.length === 0) return
    reply.header('vary', 'Origin')
    if (origin === undefined || !isListed(origin)) return
    reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': exposedHeaders.join(', ') })
  }
  if (corsOrigins.length === 0) return allowOrigin

  await app.register(cors, {
    delegator: ({ headers }, done) =>
      done(null, {
        origin: [...corsOrigins],
        methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
        allowedHeaders: allowedHeaders(headers['access-control-request-headers']),
        exposedHeaders,
        maxAge: 7_200
      })
  })
  return allowOrigin
}

function allowedHeaders(asked = ''): string[] {
  const names = asked.split(',').map(name => name.trim())
  if (asked.length > longestAskedFor || names.length > mostNames) return usualHeaders
  const isUsual = (name: string): boolean => usualHeaders.some(usual => usual.toLowerCase() === name.toLowerCase())
  const others = names.filter(name => token.test(name) && !forbidden.test(name) && !isUsual(name))
  return [...usualHeaders, ...new Set(others)]
}
