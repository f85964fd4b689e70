import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { RateLimited, WebhookKeyUnavailable } from '../../domain/refusals/failures.ts'
import { neighbourhood } from '../../domain/values/address.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import { explain, sendFailure } from '../answer/errors.ts'
import type { KnownCallers } from './authenticate.ts'

export interface VendorCallsDeps extends Pick<KnownCallers, 'limits' | 'connections' | 'addressOf'> {
  /** Looks at the head alone. @throws Failure when it cannot be a call of a vendor */
  readonly webhooks: { demandSigned(upstream: string, headers: FastifyRequest['headers']): void }
}

/** So many addresses that vendors have called from, and for so long. */
const heardOut = { ...upTo(1_000), ttl: 86_400_000 }

/**
 * Guards routes that vendors call, who have no key: a signature over the body proves them. Whatever is refused counts against the
 * address, and an address that has used up its limit is refused before its body is read. Not so one from which a vendor has called
 * within a day: vendors share addresses with their customers, and strangers there must not cut them off.
 * Gives what notes that the sender of a call has proved who it is.
 */
export function vendorCalls(
  scope: FastifyInstance,
  { limits, connections, addressOf, webhooks }: VendorCallsDeps
): (request: FastifyRequest, reply: FastifyReply) => void {
  const known = new LRUCache<string, true>(heardOut)
  const placeOf = (request: FastifyRequest): string => neighbourhood(addressOf(request))

  // The signature is over the bytes, whatever type they are said to be of.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  scope.setErrorHandler((error, request, reply) => {
    const send = (failure: unknown): FastifyReply => sendFailure(failure, request, reply)
    return isCounted(error) ? limits.address(request, reply).then(() => send(error), send) : send(error)
  })

  scope.addHook('onRequest', async (request, reply) => {
    if (!known.has(placeOf(request))) await limits.demandAddress(request, reply)
    const { upstream = '' } = request.params as { upstream?: string }
    webhooks.demandSigned(upstream, request.headers)
  })

  return (request, reply) => {
    known.set(placeOf(request), true)
    connections.keep(reply.raw)
  }
}

/** Our own trouble is nobody's fault. While there is no key, nobody can tell a vendor from a stranger. */
function isCounted(error: unknown): boolean {
  if (error instanceof RateLimited) return false
  return explain(error).status < 500 || error instanceof WebhookKeyUnavailable
}
