import { Meeting } from '../../domain/meeting.ts'
import { NewMeeting } from '../../domain/meeting-wish.ts'
import { MeetingNotFound } from '../../domain/refusals/failures.ts'
import type { TenantMeetings } from '../../lifecycle/resources/meetings.ts'
import { Answer, failures, MeetingParams, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'replaceMeeting',
  summary: 'Replace a meeting',
  description:
    'What the body leaves out is set back as in a new meeting. Not the status: a meeting is retired, and brought back, with PATCH alone.',
  tags: ['meetings'],
  params: MeetingParams,
  body: NewMeeting,
  response: {
    200: Answer(Meeting, 'The meeting after the change'),
    ...failures(MeetingNotFound, ...mutationFailures)
  }
}

const rule = { scope: 'meetings:write', limit: 'write' } as const

export function replaceMeeting(app: Api, { meetings }: { meetings: TenantMeetings }): void {
  app.put('/meetings/:meeting_id', { schema, config: { rule } }, async request => {
    const meeting = await meetings.replace(request.caller, request.meeting, request.body)
    return { success: true as const, data: meeting }
  })
}
