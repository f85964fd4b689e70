import type { FastifyInstance } from 'fastify'
import { revealsKey, shownTo } from '../../domain/caller.ts'
import type { LivestreamWithKey } from '../../domain/livestream.ts'

/**
 * Shows each livestream as its caller may see it: routes answer with all that they have, and here what lets somebody broadcast is
 * taken out for every key without the scope for it. An answer that keeps it is kept by no cache, and on record as such.
 */
export function streamKeys(app: FastifyInstance): void {
  app.addHook('preSerialization', (request, reply, payload, done) => {
    if (!request.admitted || !hasData(payload)) return done(null, payload)
    const { data } = payload
    const isWithRuns = 'livestream' in data
    const livestream = isWithRuns ? data.livestream : data
    if (!revealsKey(livestream)) return done(null, payload)
    const shown = shownTo(request.caller, livestream)
    request.streamKeyRevealed = revealsKey(shown)
    if (request.streamKeyRevealed) reply.header('cache-control', 'no-store')
    done(null, { ...payload, data: isWithRuns ? { ...data, livestream: shown } : shown })
  })
}

/** Lists are none: the schema of their answers has no field for a key. */
function hasData(payload: unknown): payload is { data: LivestreamWithKey | { livestream: LivestreamWithKey } } {
  const data = (payload as { data?: unknown }).data
  return typeof data === 'object' && data !== null && !Array.isArray(data)
}
