import { Meeting } from '../../domain/meeting.ts'
import { MeetingChange } from '../../domain/meeting-wish.ts'
import { MeetingNotFound } from '../../domain/refusals/failures.ts'
import type { TenantMeetings } from '../../lifecycle/resources/meetings.ts'
import { Answer, failures, MeetingParams, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'updateMeeting',
  summary: 'Change a meeting',
  description:
    'Changes the given fields. A meeting is retired with `{"status":"INACTIVE"}`; there is no way to delete one. That stops its livestream, behind the answer: while something is live, the key needs `livestreams:stop` as well.',
  tags: ['meetings'],
  params: MeetingParams,
  body: MeetingChange,
  response: { 200: Answer(Meeting, 'The meeting after the change'), ...failures(MeetingNotFound, ...mutationFailures) }
}

const rule = { scope: 'meetings:write', limit: 'write' } as const

export function updateMeeting(app: Api, { meetings }: { meetings: TenantMeetings }): void {
  app.patch('/meetings/:meeting_id', { schema, config: { rule } }, async request => {
    const meeting = await meetings.update(request.caller, request.meeting, request.body)
    return { success: true as const, data: meeting }
  })
}
