import { Type } from 'typebox'
import { MeetingNotFound, NoActiveSession } from '../../domain/refusals/failures.ts'
import type { TenantStage } from '../../lifecycle/resources/stage.ts'
import { Answer, failures, MeetingParams, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'muteAllParticipants',
  summary: 'Mute everybody in a meeting',
  tags: ['stage'],
  params: MeetingParams,
  body: Type.Object(
    { allow_unmute: Type.Optional(Type.Boolean({ description: 'Whether they may unmute themselves' })) },
    { additionalProperties: false, examples: [{ allow_unmute: true }] }
  ),
  response: {
    200: Answer(
      Type.Object({
        action: Type.Literal('mute-all'),
        muted_participants_count: Type.Integer({ minimum: 0, examples: [3] })
      }),
      'Done'
    ),
    ...failures(MeetingNotFound, NoActiveSession, ...mutationFailures)
  }
}

const rule = { scope: 'stage:manage', limit: 'write' } as const

export function muteAllParticipants(app: Api, { stage }: { stage: TenantStage }): void {
  app.post('/meetings/:meeting_id/active-session/mute-all', { schema, config: { rule } }, async request => {
    return { success: true as const, data: await stage.muteAll(request.caller, request.meeting, request.body) }
  })
}
