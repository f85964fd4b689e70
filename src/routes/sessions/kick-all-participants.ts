import { Type } from 'typebox'
import { MeetingNotFound, NoActiveSession } from '../../domain/refusals/failures.ts'
import type { TenantStage } from '../../lifecycle/resources/stage.ts'
import { Answer, failures, MeetingParams, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'kickAllParticipants',
  summary: 'Take everybody out of a meeting',
  description: 'Whoever holds a token of the meeting can come back.',
  tags: ['stage'],
  params: MeetingParams,
  body: Type.Object({}, { additionalProperties: false }),
  response: {
    200: Answer(
      Type.Object({
        action: Type.Literal('kick-all'),
        kicked_participants_count: Type.Integer({ minimum: 0, examples: [3] })
      }),
      'Done'
    ),
    ...failures(MeetingNotFound, NoActiveSession, ...mutationFailures)
  }
}

const rule = { scope: 'stage:manage', limit: 'write' } as const

export function kickAllParticipants(app: Api, { stage }: { stage: TenantStage }): void {
  app.post('/meetings/:meeting_id/active-session/kick-all', { schema, config: { rule } }, async request => {
    return { success: true as const, data: await stage.kickAll(request.caller, request.meeting) }
  })
}
