import { Type } from 'typebox'
import { LivestreamWithKey } from '../../../domain/livestream.ts'
import { LivestreamNotFound, NotOffered } from '../../../domain/refusals/failures.ts'
import type { LivestreamChanges } from '../../../lifecycle/resources/livestream-changes.ts'
import { Answer, failures, LivestreamParams, mutationFailures } from '../../answer.ts'
import type { Api } from '../../api.ts'

const schema = {
  operationId: 'resetStreamKey',
  summary: "Reset a livestream's stream key",
  description:
    'The key of before is worth nothing any more. The new one is in the answer for a key with the scope `stream-key:read`, and never in a replay: fetch the livestream for it.',
  tags: ['encoders'],
  params: LivestreamParams,
  body: Type.Object({}, { additionalProperties: false }),
  response: {
    200: Answer(LivestreamWithKey, 'The livestream with its new key'),
    ...failures(LivestreamNotFound, NotOffered, ...mutationFailures)
  }
}

const rule = { scope: 'livestreams:manage', limit: 'write' } as const

export function resetStreamKey(app: Api, { livestreamChanges }: { livestreamChanges: LivestreamChanges }): void {
  app.post('/livestreams/:livestream_id/reset-stream-key', { schema, config: { rule } }, async request => {
    const livestream = await livestreamChanges.resetStreamKey(request.caller, request.livestream)
    return { success: true as const, data: livestream }
  })
}
