import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ExpectationFailed, InvalidInput, ShuttingDown } from '../../domain/refusals/failures.ts'
import { refuseBytes } from '../answer/errors.ts'

/** Options that make node:http leave these answers to us. */
export const leftToUs = {
  requireHostHeader: false,
  // A request to change the protocol is answered in this one.
  shouldUpgradeCallback: () => false
}

/** Counts a call without a key. @throws RateLimited */
type Count = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Answers that node:http, or nobody, would give: without the envelope and without a request id. */
export function ownAnswers(app: FastifyInstance, countAddress: Count): void {
  const { bodyLimit = 0 } = app.initialConfig
  // A client that asks before it sends a body need not send one that would be refused.
  app.server.on('checkContinue', (request: IncomingMessage, answer: ServerResponse) => {
    const { expect, 'content-length': length } = request.headers
    if (isKnown(expect) && Number(length ?? 0) <= bodyLimit) answer.writeContinue()
    app.server.emit('request', request, answer)
  })
  app.server.on('checkExpectation', (request: IncomingMessage, answer: ServerResponse) =>
    app.server.emit('request', request, answer)
  )
  app.server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => {})
    refuseBytes(new Error('CONNECT'), socket)
  })

  app.addHook('onRequest', (request, reply, done) => {
    const refusal = oddity(request)
    if (refusal === null) done()
    else countAddress(request, reply).then(() => done(refusal), done)
  })
}

function oddity({ raw, headers, routeOptions }: FastifyRequest): Error | null {
  // RFC 9112, section 3.2. Older versions need no such field.
  if (headers.host === undefined && raw.httpVersion === '1.1') return badHost('is missing')
  if (countHosts(raw.rawHeaders) > 1) return badHost('must stand there once')
  // A stop is never refused for a field.
  if (isKnown(headers.expect) || routeOptions.config.rule?.limit === 'never') return null
  return new ExpectationFailed({ details: [{ field: 'headers.expect', message: 'must be 100-continue' }] })
}

function badHost(message: string): Error {
  return new InvalidInput({ details: [{ field: 'headers.host', message }] })
}

/** Counts `Host` fields: Node takes the first one, and a proxy on the way may have taken another. */
function countHosts(rawHeaders: string[]): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') count++
  return count
}

function isKnown(expect: string | undefined): boolean {
  return expect === undefined || /^100-continue$/i.test(expect)
}

/** Answers an OPTIONS that no page asks with the methods of an address (RFC 9110, section 9.3.7), as for HAProxy's plain check. */
export interface PlainOptions {
  /** @throws RateLimited, ShuttingDown */
  answer(request: FastifyRequest, reply: FastifyReply): Promise<void>
}

/** To be called before any route is registered: it learns of each by a hook. */
export function plainOptions(
  app: FastifyInstance,
  { countAddress, draining }: { countAddress: Count; draining(): boolean }
): PlainOptions {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  const all = new Set<string>()

  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(`^${url.replace(/:\w+/g, '[^/]+').replace(/\*$/, '.*')}$`)
    const route = routes.get(url) ?? { pattern, methods: new Set() }
    routes.set(url, route)
    for (const one of [method].flat()) {
      // Every address has OPTIONS, and @fastify/cors registers a route for all of them.
      if (one === 'OPTIONS') continue
      route.methods.add(one)
      all.add(one)
    }
  })

  const allowed = (path: string): Iterable<string> => {
    const methods = [...routes.values()]
      .filter(({ pattern }) => pattern.test(path))
      .flatMap(route => [...route.methods])
    return methods.length > 0 ? new Set(methods) : all
  }

  return {
    async answer(request, reply) {
      if (draining()) throw new ShuttingDown({ retryAfterSeconds: 1 })
      await countAddress(request, reply)
      const [path = ''] = request.url.split('?')
      reply
        .code(204)
        .header('allow', [...allowed(path), 'OPTIONS'].join(', '))
        .send()
    }
  }
}
