import { Meeting } from '../../domain/meeting.ts'
import { MeetingNotFound } from '../../domain/refusals/failures.ts'
import type { TenantMeetings } from '../../lifecycle/resources/meetings.ts'
import { Answer, failures, MeetingParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'getMeeting',
  summary: 'Fetch a meeting',
  description: cacheDescription,
  tags: ['meetings'],
  params: MeetingParams,
  response: {
    200: Answer(Meeting, 'The meeting, as the provider shows it now'),
    ...failures(MeetingNotFound, ...vendorFailures)
  }
}

const rule = { scope: 'meetings:read', limit: 'read' } as const

export function getMeeting(app: Api, { meetings }: { meetings: TenantMeetings }): void {
  app.get('/meetings/:meeting_id', { schema, config: { rule } }, async (request, reply) => {
    const { value, ...seen } = await meetings.find(request.meeting, () => request.signal)
    cacheFields(reply, seen)
    return { success: true as const, data: value }
  })
}
