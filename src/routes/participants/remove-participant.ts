import { RemovedParticipant } from '../../domain/participant.ts'
import { MeetingNotFound, ParticipantNotFound } from '../../domain/refusals/failures.ts'
import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import { Answer, failures, mutationFailures, ParticipantParams } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'removeParticipant',
  summary: 'Remove a participant',
  description:
    'Ends all tokens of the participant. A person who is in the meeting with one stays: take them out with `kick` behind it.',
  tags: ['participants'],
  params: ParticipantParams,
  response: {
    200: Answer(RemovedParticipant, 'The participant that was removed'),
    ...failures(MeetingNotFound, ParticipantNotFound, ...mutationFailures)
  }
}

const rule = { scope: 'participants:manage', limit: 'write' } as const

export function removeParticipant(app: Api, { participants }: { participants: TenantParticipants }): void {
  const path = '/meetings/:meeting_id/participants/:participant_id'
  app.delete(path, { schema, config: { rule } }, async ({ caller, meeting, params }) => ({
    success: true as const,
    data: await participants.remove(caller, meeting, params.participant_id)
  }))
}
