import { LivestreamWithKey } from '../../domain/livestream.ts'
import { MeetingNotFound, NoActiveLivestream } from '../../domain/refusals/failures.ts'
import { WaitQuery, waitDescription } from '../../domain/runs/wait.ts'
import type { ActiveReads } from '../../lifecycle/reads/shared-reads.ts'
import { Answer, failures, MeetingParams, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'getActiveLivestream',
  summary: "Fetch a meeting's active livestream",
  description: `As the provider shows it now. 404 \`no_active_livestream\` when nothing is live. ${cacheDescription} ${waitDescription}`,
  tags: ['broadcast'],
  params: MeetingParams,
  querystring: WaitQuery,
  response: {
    200: Answer(LivestreamWithKey, 'The active livestream'),
    ...failures(MeetingNotFound, NoActiveLivestream, ...vendorFailures)
  }
}

const rule = { scope: 'livestreams:read', limit: 'read', lasts: 'wait' } as const

export function getActiveLivestream(app: Api, { readActive }: { readActive: ActiveReads['read'] }): void {
  app.get('/meetings/:meeting_id/active-livestream', { schema, config: { rule } }, async (request, reply) => {
    const seen = await readActive(request.meeting, () => request.signal)
    cacheFields(reply, seen)
    if (seen.value === null) throw new NoActiveLivestream()
    return { success: true as const, data: seen.value }
  })
}
