import { LivestreamSession } from '../../domain/livestream.ts'
import { LivestreamSessionNotFound } from '../../domain/refusals/failures.ts'
import type { TenantRuns } from '../../lifecycle/resources/runs.ts'
import { Answer, failures, LivestreamSessionParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'getLivestreamSession',
  summary: 'Fetch a session of a livestream',
  description: `One run. Its id is known once it was shown with its livestream or its meeting; any other is a 404. ${cacheDescription}`,
  tags: ['livestreams'],
  params: LivestreamSessionParams,
  response: {
    200: Answer(LivestreamSession, 'The session, as the provider shows it now'),
    ...failures(LivestreamSessionNotFound, ...vendorFailures)
  }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function getLivestreamSession(app: Api, { runs }: { runs: TenantRuns }): void {
  app.get('/livestreams/sessions/:livestream_session_id', { schema, config: { rule } }, async (request, reply) => {
    const { livestream_session_id: id } = request.params
    const { value, ...seen } = await runs.find(request.livestream, id, request.signal)
    cacheFields(reply, seen)
    return { success: true as const, data: value }
  })
}
