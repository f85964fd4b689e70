import { Type } from 'typebox'
import { ListedLivestream } from '../../domain/livestream.ts'
import { MeetingNotFound } from '../../domain/refusals/failures.ts'
import { PageQuery } from '../../domain/values/paging.ts'
import type { TenantLivestreams } from '../../lifecycle/resources/livestreams.ts'
import { failures, MeetingParams, PagedAnswer } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'listMeetingLivestreams',
  summary: 'Fetch all livestreams of a meeting',
  description:
    'From what Livegate has seen, the newest first; those whose run is not over are asked for anew, ten at most. Stream keys are never in a list.',
  tags: ['livestreams'],
  params: MeetingParams,
  querystring: Type.Object(PageQuery, { additionalProperties: false }),
  response: { 200: PagedAnswer(ListedLivestream, "A page of the meeting's livestreams"), ...failures(MeetingNotFound) }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function listMeetingLivestreams(app: Api, { livestreams }: { livestreams: TenantLivestreams }): void {
  app.get('/meetings/:meeting_id/livestreams', { schema, config: { rule } }, async request => {
    const { page_no: pageNo = 1, per_page: perPage = 25 } = request.query
    const { items, paging } = await livestreams.list(request.caller, { pageNo, perPage, meetingId: request.meeting.id })
    return { success: true as const, data: items, paging }
  })
}
