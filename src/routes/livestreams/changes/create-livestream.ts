import { Type } from 'typebox'
import { LivestreamName, LivestreamWithKey } from '../../../domain/livestream.ts'
import type { LivestreamChanges } from '../../../lifecycle/resources/livestream-changes.ts'
import { Answer, failures, mutationFailures } from '../../answer.ts'
import type { Api } from '../../api.ts'

const schema = {
  operationId: 'createLivestream',
  summary: 'Create a livestream without a meeting',
  description:
    "It belongs to the key's tenant, and is live while an encoder sends video to `ingest_server` with `stream_key`. No stop ends it: who disables it keeps the encoder out.",
  tags: ['encoders'],
  body: Type.Object(
    { name: Type.Optional(LivestreamName) },
    { additionalProperties: false, examples: [{ name: 'studio-1' }] }
  ),
  response: { 201: Answer(LivestreamWithKey, 'The new livestream'), ...failures(...mutationFailures) }
}

const rule = { scope: 'livestreams:manage', limit: 'write' } as const

export function createLivestream(app: Api, { livestreamChanges }: { livestreamChanges: LivestreamChanges }): void {
  app.post('/livestreams', { schema, config: { rule } }, async (request, reply) => {
    const livestream = await livestreamChanges.create(request.caller, request.body)
    return reply.code(201).send({ success: true, data: livestream })
  })
}
