import { Type } from 'typebox'
import { IssuedToken } from '../../domain/participant.ts'
import {
  MeetingNotFound,
  ParticipantNotFound,
  PresetNotAllowed,
  PresetUnreadable
} from '../../domain/refusals/failures.ts'
import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import { Answer, failures, mutationFailures, ParticipantParams } from '../answer.ts'
import type { Api } from '../api.ts'
import { tokenDescription } from './show-joining.ts'

const schema = {
  operationId: 'refreshParticipantToken',
  summary: 'Issue another token of a participant',
  description: `Tokens of before go on. ${tokenDescription}`,
  tags: ['participants'],
  params: ParticipantParams,
  body: Type.Object({}, { additionalProperties: false }),
  response: {
    200: Answer(IssuedToken, 'The token'),
    ...failures(MeetingNotFound, ParticipantNotFound, PresetNotAllowed, PresetUnreadable, ...mutationFailures)
  }
}

const rule = { scope: 'participants:manage', limit: 'write' } as const

export function refreshParticipantToken(app: Api, { participants }: { participants: TenantParticipants }): void {
  const path = '/meetings/:meeting_id/participants/:participant_id/token'
  app.post(path, { schema, config: { rule } }, async ({ caller, meeting, params }, reply) => {
    const token = await participants.refreshToken(caller, meeting, params.participant_id)
    reply.header('cache-control', 'no-store')
    return { success: true as const, data: { token: token.reveal() } }
  })
}
