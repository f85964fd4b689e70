import { Type } from 'typebox'
import { LivestreamWithKey } from '../../../domain/livestream.ts'
import { LivestreamNotFound, NotOffered } from '../../../domain/refusals/failures.ts'
import type { LivestreamChanges } from '../../../lifecycle/resources/livestream-changes.ts'
import { Answer, failures, LivestreamParams, mutationFailures } from '../../answer.ts'
import type { Api } from '../../api.ts'

const schema = {
  operationId: 'enableLivestream',
  summary: 'Enable a livestream',
  description:
    'It can be broadcast to again. When the answer of the provider is lost it is sent again until it is confirmed, unless it is disabled meanwhile.',
  tags: ['encoders'],
  params: LivestreamParams,
  body: Type.Object({}, { additionalProperties: false }),
  response: {
    200: Answer(LivestreamWithKey, 'The livestream after the change'),
    ...failures(LivestreamNotFound, NotOffered, ...mutationFailures)
  }
}

const rule = { scope: 'livestreams:manage', limit: 'write' } as const

export function enableLivestream(app: Api, { livestreamChanges }: { livestreamChanges: LivestreamChanges }): void {
  app.put('/livestreams/:livestream_id/enable', { schema, config: { rule } }, async request => {
    const livestream = await livestreamChanges.setEnabled(request.caller, request.livestream, true)
    return { success: true as const, data: livestream }
  })
}
