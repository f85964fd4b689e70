/** The proxy that most would write: @fastify/http-proxy, @fastify/rate-limit by key, and pino's line for each request. */
import httpProxy from '@fastify/http-proxy'
import rateLimit from '@fastify/rate-limit'
import Fastify from 'fastify'
import { authorization, connections, listens, upstream } from './settings.ts'

const app = Fastify({ logger: true })
await app.register(rateLimit, {
  max: 100_000_000,
  timeWindow: '1 minute',
  keyGenerator: request => request.headers.authorization ?? request.ip
})
await app.register(httpProxy, {
  upstream: upstream.origin,
  undici: { connections, pipelining: 1 },
  replyOptions: { rewriteRequestHeaders: (_request, headers) => ({ ...headers, authorization }) }
})
await app.listen({ host: '127.0.0.1', port: 0 })
listens((app.server.address() as { port: number }).port)
