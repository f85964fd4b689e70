import { ParticipantWithToken, ReplacedParticipant } from '../../domain/participant.ts'
import {
  MeetingNotFound,
  NotOffered,
  ParticipantNotFound,
  PresetNotAllowed,
  PresetUnreadable
} from '../../domain/refusals/failures.ts'
import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import { Answer, failures, mutationFailures, ParticipantParams } from '../answer.ts'
import type { Api } from '../api.ts'
import { showJoining, tokenDescription } from './show-joining.ts'

const schema = {
  operationId: 'replaceParticipant',
  summary: 'Replace a participant',
  description: `What the body leaves out is set back as in a new participant, but for the preset. ${tokenDescription}`,
  tags: ['participants'],
  params: ParticipantParams,
  body: ReplacedParticipant,
  response: {
    200: Answer(ParticipantWithToken, 'The participant after the change, with a new token'),
    ...failures(
      MeetingNotFound,
      ParticipantNotFound,
      NotOffered,
      PresetNotAllowed,
      PresetUnreadable,
      ...mutationFailures
    )
  }
}

const rule = { scope: 'participants:manage', limit: 'write' } as const

export function replaceParticipant(app: Api, { participants }: { participants: TenantParticipants }): void {
  const path = '/meetings/:meeting_id/participants/:participant_id'
  app.put(path, { schema, config: { rule } }, async ({ caller, meeting, params, body }, reply) =>
    showJoining(reply, await participants.replace(caller, meeting, params.participant_id, body))
  )
}
