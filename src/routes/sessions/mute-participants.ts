import { Type } from 'typebox'
import { MeetingNotFound, ParticipantNotFound } from '../../domain/refusals/failures.ts'
import { Participant, Participants } from '../../domain/session.ts'
import type { TenantStage } from '../../lifecycle/resources/stage.ts'
import { Answer, failures, MeetingParams, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { expectSomebody } from './expect-somebody.ts'

const schema = {
  operationId: 'muteParticipants',
  summary: 'Mute people in a meeting',
  description: 'Names them by `participant_ids` or by `custom_participant_ids`.',
  tags: ['stage'],
  params: MeetingParams,
  body: Participants,
  response: {
    200: Answer(
      Type.Object({
        action: Type.Literal('mute'),
        participants: Type.Array(Participant, { maxItems: 1000, description: 'Those whom it was done to' })
      }),
      'Done'
    ),
    ...failures(MeetingNotFound, ParticipantNotFound, ...mutationFailures)
  }
}

const rule = { scope: 'stage:manage', limit: 'write' } as const

export function muteParticipants(app: Api, { stage }: { stage: TenantStage }): void {
  app.post('/meetings/:meeting_id/active-session/mute', { schema, config: { rule } }, async request => {
    expectSomebody(request.body)
    const { participants } = await stage.act(request.caller, request.meeting, 'mute', request.body)
    return { success: true as const, data: { action: 'mute' as const, participants } }
  })
}
