import { Type } from 'typebox'
import { MeetingParticipant } from '../../domain/participant.ts'
import { MeetingNotFound } from '../../domain/refusals/failures.ts'
import { PageQuery } from '../../domain/values/paging.ts'
import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import { failures, MeetingParams, PagedAnswer, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'listParticipants',
  summary: 'Fetch all participants of a meeting',
  description: `Those who may join it, without their tokens; \`active-session\` tells who is there. ${cacheDescription}`,
  tags: ['participants'],
  params: MeetingParams,
  querystring: Type.Object(PageQuery, { additionalProperties: false }),
  response: {
    200: PagedAnswer(MeetingParticipant, 'A page of the participants'),
    ...failures(MeetingNotFound, ...vendorFailures)
  }
}

const rule = { scope: 'participants:read', limit: 'read' } as const

export function listParticipants(app: Api, { participants }: { participants: TenantParticipants }): void {
  app.get('/meetings/:meeting_id/participants', { schema, config: { rule } }, async (request, reply) => {
    const { page_no: pageNo = 1, per_page: perPage = 25 } = request.query
    const { value, ...seen } = await participants.list(request.meeting, { pageNo, perPage }, request.signal)
    cacheFields(reply, seen)
    return { success: true as const, data: value.items, paging: value.paging }
  })
}
