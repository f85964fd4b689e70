import { Type } from 'typebox'
import { LivestreamSession, LivestreamWithKey } from '../../domain/livestream.ts'
import { LivestreamNotFound, MeetingNotFound } from '../../domain/refusals/failures.ts'
import { PageQuery, Paging } from '../../domain/values/paging.ts'
import type { TenantRuns } from '../../lifecycle/resources/runs.ts'
import { failures, MeetingParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'getMeetingLivestream',
  summary: "Fetch a meeting's last livestream with its sessions",
  description: `As the provider shows it now, live or not; \`page_no\` and \`per_page\` page the sessions. ${cacheDescription}`,
  tags: ['livestreams'],
  params: MeetingParams,
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
    ...failures(MeetingNotFound, LivestreamNotFound, ...vendorFailures)
  }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function getMeetingLivestream(app: Api, { runs }: { runs: TenantRuns }): void {
  app.get('/meetings/:meeting_id/livestream', { schema, config: { rule } }, async (request, reply) => {
    const { page_no: pageNo = 1, per_page: perPage = 25 } = request.query
    const { value, ...seen } = await runs.ofMeeting(request.meeting, { pageNo, perPage }, request.signal)
    cacheFields(reply, seen)
    const { sessions, paging } = value
    const livestream = value.livestream
    return { success: true as const, data: { livestream, sessions }, paging }
  })
}
