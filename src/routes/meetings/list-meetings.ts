import { Type } from 'typebox'
import { ListedMeeting } from '../../domain/meeting.ts'
import { PageQuery } from '../../domain/values/paging.ts'
import { readTimeRange, TimeRangeQuery } from '../../domain/values/time-range.ts'
import type { TenantMeetings } from '../../lifecycle/resources/meetings.ts'
import { failures, PagedAnswer } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'listMeetings',
  summary: "Fetch all of the tenant's meetings",
  description:
    'The newest first, by when they came to the tenant. Those that were not seen for a minute are asked for anew, ten at most; `observed_at` says how old the others are.',
  tags: ['meetings'],
  querystring: Type.Object(
    {
      search: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 256,
          pattern: '^[^\\x00-\\x1f\\x7f]*$',
          description: 'Part of the id or of the title',
          examples: ['Friday']
        })
      ),
      status: Type.Optional(
        Type.Enum(['ACTIVE', 'INACTIVE'], {
          description: 'As Livegate saw it last; a meeting that it has not looked at yet has no status'
        })
      ),
      ...TimeRangeQuery,
      ...PageQuery
    },
    { additionalProperties: false }
  ),
  response: { 200: PagedAnswer(ListedMeeting, "A page of the tenant's meetings"), ...failures() }
}

const rule = { scope: 'meetings:read', limit: 'read' } as const

export function listMeetings(app: Api, { meetings }: { meetings: TenantMeetings }): void {
  app.get('/meetings', { schema, config: { rule } }, async request => {
    const { page_no: pageNo = 1, per_page: perPage = 25, search, status } = request.query
    const filter = { pageNo, perPage, search, status, ...readTimeRange(request.query) }
    const { items, paging } = await meetings.list(request.caller, filter)
    return { success: true as const, data: items, paging }
  })
}
