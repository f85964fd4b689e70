import { Type } from 'typebox'
import { LivestreamSession } from '../../domain/livestream.ts'
import { SessionNotFound } from '../../domain/refusals/failures.ts'
import { PageQuery, Paging } from '../../domain/values/paging.ts'
import type { TenantRuns } from '../../lifecycle/resources/runs.ts'
import { failures, SessionParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'listSessionLivestreams',
  summary: "Fetch the livestream sessions in a meeting's session",
  description: `The list stands in \`data.data\`, as the provider has it. The id of a session is known once \`active-session\` of its meeting has shown it; any other is a 404. ${cacheDescription}`,
  tags: ['livestreams'],
  params: SessionParams,
  querystring: Type.Object(PageQuery, { additionalProperties: false }),
  response: {
    200: Type.Object(
      {
        success: Type.Literal(true),
        data: Type.Object({ data: Type.Array(LivestreamSession, { maxItems: 1000 }), paging: Paging })
      },
      { description: 'A page of the sessions' }
    ),
    ...failures(SessionNotFound, ...vendorFailures)
  }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function listSessionLivestreams(app: Api, { runs }: { runs: TenantRuns }): void {
  app.get('/sessions/:session_id/livestream-sessions', { schema, config: { rule } }, async (request, reply) => {
    const { page_no: pageNo = 1, per_page: perPage = 25 } = request.query
    const { session_id: id } = request.params
    const { value, ...seen } = await runs.ofSession(request.meeting, id, { pageNo, perPage }, request.signal)
    cacheFields(reply, seen)
    return { success: true as const, data: { data: value.sessions, paging: value.paging } }
  })
}
