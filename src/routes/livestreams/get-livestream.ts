import { Type } from 'typebox'
import { LivestreamSession, LivestreamWithKey } from '../../domain/livestream.ts'
import { LivestreamNotFound } from '../../domain/refusals/failures.ts'
import { PageQuery, Paging } from '../../domain/values/paging.ts'
import type { TenantLivestreams } from '../../lifecycle/resources/livestreams.ts'
import { failures, LivestreamParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'getLivestream',
  summary: 'Fetch a livestream with its sessions',
  description: `As the provider shows it now. A session is one run; \`page_no\` and \`per_page\` page the sessions. ${cacheDescription}`,
  tags: ['livestreams'],
  params: LivestreamParams,
  querystring: Type.Object(PageQuery, { additionalProperties: false }),
  response: {
    200: Type.Object(
      {
        success: Type.Literal(true),
        data: Type.Object({
          livestream: LivestreamWithKey,
          sessions: Type.Array(LivestreamSession, { maxItems: 1000 })
        }),
        paging: Paging
      },
      { description: 'The livestream' }
    ),
    ...failures(LivestreamNotFound, ...vendorFailures)
  }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function getLivestream(app: Api, { livestreams }: { livestreams: TenantLivestreams }): void {
  app.get('/livestreams/:livestream_id', { schema, config: { rule } }, async (request, reply) => {
    const { page_no: pageNo = 1, per_page: perPage = 25 } = request.query
    const { value, ...seen } = await livestreams.find(request.livestream, { pageNo, perPage }, () => request.signal)
    cacheFields(reply, seen)
    const { sessions, paging } = value
    const livestream = value.livestream
    return { success: true as const, data: { livestream, sessions }, paging }
  })
}
