import { Type } from 'typebox'
import { MeetingNotFound, ParticipantNotFound } from '../../domain/refusals/failures.ts'
import { Participant, Participants } from '../../domain/session.ts'
import type { TenantStage } from '../../lifecycle/resources/stage.ts'
import { Answer, failures, MeetingParams, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { expectSomebody } from './expect-somebody.ts'

const schema = {
  operationId: 'kickParticipants',
  summary: 'Take people out of a meeting',
  description:
    'Names them by `participant_ids` or by `custom_participant_ids`. Whoever holds a token of the meeting can come back.',
  tags: ['stage'],
  params: MeetingParams,
  body: Participants,
  response: {
    200: Answer(
      Type.Object({
        action: Type.Literal('kick'),
        participants: Type.Array(Participant, { maxItems: 1000, description: 'Those whom it was done to' })
      }),
      'Done'
    ),
    ...failures(MeetingNotFound, ParticipantNotFound, ...mutationFailures)
  }
}

const rule = { scope: 'stage:manage', limit: 'write' } as const

export function kickParticipants(app: Api, { stage }: { stage: TenantStage }): void {
  app.post('/meetings/:meeting_id/active-session/kick', { schema, config: { rule } }, async request => {
    expectSomebody(request.body)
    const { participants } = await stage.act(request.caller, request.meeting, 'kick', request.body)
    return { success: true as const, data: { action: 'kick' as const, participants } }
  })
}
