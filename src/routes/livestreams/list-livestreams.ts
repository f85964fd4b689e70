import { Type } from 'typebox'
import { ListedLivestream, livestreamStatuses } from '../../domain/livestream.ts'
import { PageQuery } from '../../domain/values/paging.ts'
import { readTimeRange, TimeRangeQuery } from '../../domain/values/time-range.ts'
import type { TenantLivestreams } from '../../lifecycle/resources/livestreams.ts'
import { failures, PagedAnswer } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'listLivestreams',
  summary: "Fetch all of the tenant's livestreams",
  description:
    'From what Livegate has seen; those whose run is not over are asked for anew, ten at most. Stream keys are never in a list.',
  tags: ['livestreams'],
  querystring: Type.Object(
    {
      exclude_meetings: Type.Optional(
        Type.Boolean({ default: false, description: 'Only livestreams that belong to no meeting' })
      ),
      status: Type.Optional(Type.Enum([...livestreamStatuses])),
      ...TimeRangeQuery,
      sort_order: Type.Optional(
        Type.Enum(['ASC', 'DSC'], {
          default: 'DSC',
          description: 'By the time of creation. DSC, as the provider spells it'
        })
      ),
      ...PageQuery
    },
    { additionalProperties: false }
  ),
  response: { 200: PagedAnswer(ListedLivestream, "A page of the tenant's livestreams"), ...failures() }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function listLivestreams(app: Api, { livestreams }: { livestreams: TenantLivestreams }): void {
  app.get('/livestreams', { schema, config: { rule } }, async request => {
    const {
      page_no: pageNo = 1,
      per_page: perPage = 25,
      exclude_meetings: excludeMeetings,
      status,
      sort_order
    } = request.query
    const range = readTimeRange(request.query)
    const filter = { pageNo, perPage, excludeMeetings, status, oldestFirst: sort_order === 'ASC', ...range }
    const { items, paging } = await livestreams.list(request.caller, filter)
    return { success: true as const, data: items, paging }
  })
}
