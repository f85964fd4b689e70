import { Meeting } from '../../domain/meeting.ts'
import { NewMeeting } from '../../domain/meeting-wish.ts'
import type { TenantMeetings } from '../../lifecycle/resources/meetings.ts'
import { Answer, failures, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'createMeeting',
  summary: 'Create a meeting',
  description:
    "The new meeting belongs to the key's tenant. With `live_stream_on_start` a livestream starts when the meeting does, without another call.",
  tags: ['meetings'],
  body: NewMeeting,
  response: { 201: Answer(Meeting, 'The new meeting'), ...failures(...mutationFailures) }
}

const rule = { scope: 'meetings:write', limit: 'write' } as const

export function createMeeting(app: Api, { meetings }: { meetings: TenantMeetings }): void {
  app.post('/meetings', { schema, config: { rule } }, async (request, reply) => {
    const meeting = await meetings.create(request.caller, request.body)
    return reply.code(201).send({ success: true, data: meeting })
  })
}
