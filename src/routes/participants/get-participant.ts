import { MeetingParticipant } from '../../domain/participant.ts'
import { MeetingNotFound, ParticipantNotFound } from '../../domain/refusals/failures.ts'
import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import { Answer, failures, ParticipantParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'getParticipant',
  summary: 'Fetch a participant',
  description: `An id is known once the answer that made the participant, or a list of its meeting, has shown it; any other is a 404. ${cacheDescription}`,
  tags: ['participants'],
  params: ParticipantParams,
  response: {
    200: Answer(MeetingParticipant, 'The participant, without a token'),
    ...failures(MeetingNotFound, ParticipantNotFound, ...vendorFailures)
  }
}

const rule = { scope: 'participants:read', limit: 'read' } as const

export function getParticipant(app: Api, { participants }: { participants: TenantParticipants }): void {
  const path = '/meetings/:meeting_id/participants/:participant_id'
  app.get(path, { schema, config: { rule } }, async (request, reply) => {
    const { meeting, params, signal } = request
    const { value, ...seen } = await participants.find(meeting, params.participant_id, signal)
    cacheFields(reply, seen)
    return { success: true as const, data: value }
  })
}
