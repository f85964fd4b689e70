import { MeetingNotFound, NoActiveSession } from '../../domain/refusals/failures.ts'
import { ActiveSession } from '../../domain/session.ts'
import type { TenantStage } from '../../lifecycle/resources/stage.ts'
import { Answer, failures, MeetingParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'getActiveSession',
  summary: "Fetch a meeting's active session",
  description: `How many are in the meeting now, and since when. 404 \`no_active_session\` when nobody is. ${cacheDescription}`,
  tags: ['stage'],
  params: MeetingParams,
  response: {
    200: Answer(ActiveSession, 'The active session'),
    ...failures(MeetingNotFound, NoActiveSession, ...vendorFailures)
  }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function getActiveSession(app: Api, { stage }: { stage: TenantStage }): void {
  app.get('/meetings/:meeting_id/active-session', { schema, config: { rule } }, async (request, reply) => {
    const { value, ...seen } = await stage.findActive(request.meeting, request.signal)
    cacheFields(reply, seen)
    return { success: true as const, data: value }
  })
}
