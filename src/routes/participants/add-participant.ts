import { NewParticipant, ParticipantWithToken } from '../../domain/participant.ts'
import {
  MeetingNotFound,
  ParticipantConflict,
  ParticipantUnsettled,
  PresetNotAllowed,
  PresetUnreadable
} from '../../domain/refusals/failures.ts'
import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import { Answer, failures, MeetingParams, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { showJoining, tokenDescription } from './show-joining.ts'

const schema = {
  operationId: 'addParticipant',
  summary: 'Add a participant to a meeting',
  description: `Added once for each \`custom_participant_id\`: who is there already, and is like that, gets a fresh token (200). Another name, picture or preset is a 409. ${tokenDescription}`,
  tags: ['participants'],
  params: MeetingParams,
  body: NewParticipant,
  response: {
    200: Answer(ParticipantWithToken, 'The participant was there already'),
    201: Answer(ParticipantWithToken, 'The new participant'),
    ...failures(
      MeetingNotFound,
      ParticipantConflict,
      ParticipantUnsettled,
      PresetNotAllowed,
      PresetUnreadable,
      ...mutationFailures
    )
  }
}

const rule = { scope: 'participants:manage', limit: 'write' } as const

export function addParticipant(app: Api, { participants }: { participants: TenantParticipants }): void {
  app.post('/meetings/:meeting_id/participants', { schema, config: { rule } }, async (request, reply) => {
    const { status, ...joining } = await participants.add(request.caller, request.meeting, request.body)
    return reply.code(status).send(showJoining(reply, joining))
  })
}
