import { Type } from 'typebox'
import { LivestreamWithKey } from '../../../domain/livestream.ts'
import { LivestreamNotFound, NotOffered } from '../../../domain/refusals/failures.ts'
import type { LivestreamChanges } from '../../../lifecycle/resources/livestream-changes.ts'
import { Answer, failures, LivestreamParams, mutationFailures } from '../../answer.ts'
import type { Api } from '../../api.ts'

const schema = {
  operationId: 'disableLivestream',
  summary: 'Disable a livestream',
  description:
    'Nobody can broadcast to it until it is enabled again. When the answer of the provider is lost it is sent again until it is confirmed, unless it is enabled meanwhile.',
  tags: ['encoders'],
  params: LivestreamParams,
  body: Type.Object({}, { additionalProperties: false }),
  response: {
    200: Answer(LivestreamWithKey, 'The livestream after the change'),
    ...failures(LivestreamNotFound, NotOffered, ...mutationFailures)
  }
}

const rule = { scope: 'livestreams:manage', limit: 'write' } as const

export function disableLivestream(app: Api, { livestreamChanges }: { livestreamChanges: LivestreamChanges }): void {
  app.put('/livestreams/:livestream_id/disable', { schema, config: { rule } }, async request => {
    const livestream = await livestreamChanges.setEnabled(request.caller, request.livestream, false)
    return { success: true as const, data: livestream }
  })
}
