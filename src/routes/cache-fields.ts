import type { FastifyReply } from 'fastify'
import type { Seen } from '../lifecycle/reads/shared-reads.ts'

/** Text for the descriptions of routes that share the vendor's answers. */
export const cacheDescription =
  'Those who ask at about the same time share one answer: `Cache-Status` and `Age` say how old it is. When the provider cannot be asked, the last answer of the tenant is shown for a while, marked as stale (`ttl` below zero).'

/** Says how old the answer is: `Cache-Status` (RFC 9211, section 2) and `Age` (RFC 9111, section 5.1), in seconds. */
export function cacheFields(reply: FastifyReply, { how, ageMs, ttlMs, reason }: Omit<Seen<unknown>, 'value'>): void {
  // Rounded away from zero: what is fresh has time left, what is stale has not.
  if (how === 'hit') reply.header('cache-status', `livegate; hit; ttl=${Math.ceil(ttlMs / 1_000)}`)
  else if (how === 'stale') {
    const ttl = Math.min(Math.floor(ttlMs / 1_000), -1)
    reply.header('cache-status', `livegate; hit; ttl=${ttl}; detail=${reason}`)
  } else reply.header('cache-status', `livegate; fwd=miss; ${how === 'miss' ? 'stored' : 'collapsed'}`)
  reply.header('age', String(Math.floor(ageMs / 1_000)))
}
