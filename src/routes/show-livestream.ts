import type { FastifyReply, FastifyRequest } from 'fastify'
import { revealsKey, shownTo } from '../domain/caller.ts'
import type { LivestreamWithKey } from '../domain/livestream.ts'

/** The livestream as this caller may see it. An answer that lets its reader broadcast is kept by no cache, and on record as such. */
export function showLivestream(
  request: FastifyRequest,
  reply: FastifyReply,
  livestream: LivestreamWithKey
): LivestreamWithKey {
  const shown = shownTo(request.caller, livestream)
  request.streamKeyRevealed = revealsKey(shown)
  if (request.streamKeyRevealed) reply.header('cache-control', 'no-store')
  return shown
}
