/** Fastify with @fastify/reply-from: no log, no key, no limit. */
import replyFrom from '@fastify/reply-from'
import Fastify from 'fastify'
import { authorization, connections, listens, upstream } from './settings.ts'

const app = Fastify()
await app.register(replyFrom, { base: upstream.origin, undici: { connections, pipelining: 1 } })
const rewriteRequestHeaders = (_request: unknown, headers: object) => ({ ...headers, authorization })
app.all('/*', (request, reply) => reply.from(request.url, { rewriteRequestHeaders }))
await app.listen({ host: '127.0.0.1', port: 0 })
listens((app.server.address() as { port: number }).port)
