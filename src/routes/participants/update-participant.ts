import { ParticipantChange, ParticipantWithToken } from '../../domain/participant.ts'
import {
  MeetingNotFound,
  ParticipantNotFound,
  PresetNotAllowed,
  PresetUnreadable
} from '../../domain/refusals/failures.ts'
import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import { Answer, failures, mutationFailures, ParticipantParams } from '../answer.ts'
import type { Api } from '../api.ts'
import { showJoining, tokenDescription } from './show-joining.ts'

const schema = {
  operationId: 'updateParticipant',
  summary: 'Change a participant',
  description: `Changes the given fields. ${tokenDescription}`,
  tags: ['participants'],
  params: ParticipantParams,
  body: ParticipantChange,
  response: {
    200: Answer(ParticipantWithToken, 'The participant after the change, with a new token'),
    ...failures(MeetingNotFound, ParticipantNotFound, PresetNotAllowed, PresetUnreadable, ...mutationFailures)
  }
}

const rule = { scope: 'participants:manage', limit: 'write' } as const

export function updateParticipant(app: Api, { participants }: { participants: TenantParticipants }): void {
  const path = '/meetings/:meeting_id/participants/:participant_id'
  app.patch(path, { schema, config: { rule } }, async ({ caller, meeting, params, body }, reply) =>
    showJoining(reply, await participants.update(caller, meeting, params.participant_id, body))
  )
}
