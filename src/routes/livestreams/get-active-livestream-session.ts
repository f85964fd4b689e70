import { Type } from 'typebox'
import { LivestreamSession, LivestreamWithKey } from '../../domain/livestream.ts'
import { LivestreamNotFound, NoActiveSession, NotOffered } from '../../domain/refusals/failures.ts'
import type { TenantRuns } from '../../lifecycle/resources/runs.ts'
import { Answer, failures, LivestreamParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'getActiveLivestreamSession',
  summary: "Fetch a livestream's active session",
  description: `The run that goes on, with its livestream. 404 \`no_active_session\` when none does. ${cacheDescription}`,
  tags: ['livestreams'],
  params: LivestreamParams,
  response: {
    200: Answer(Type.Object({ livestream: LivestreamWithKey, session: LivestreamSession }), 'The active session'),
    ...failures(LivestreamNotFound, NoActiveSession, NotOffered, ...vendorFailures)
  }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function getActiveLivestreamSession(app: Api, { runs }: { runs: TenantRuns }): void {
  app.get(
    '/livestreams/:livestream_id/active-livestream-session',
    { schema, config: { rule } },
    async (request, reply) => {
      const { value, ...seen } = await runs.findActive(request.livestream, request.signal)
      cacheFields(reply, seen)
      const livestream = value.livestream
      return { success: true as const, data: { livestream, session: value.session } }
    }
  )
}
