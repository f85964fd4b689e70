import { Type } from 'typebox'
import { overlapSeconds, ShownRotation, showRotation } from '../../domain/key-rotation.ts'
import { RotationUnderWay } from '../../domain/refusals/failures.ts'
import type { RotateKey } from '../../lifecycle/keys/rotate-key.ts'
import { Answer, failures, ownMutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const { shortest, usual, longest } = overlapSeconds

const schema = {
  operationId: 'rotateKey',
  summary: 'Rotate the key of this call',
  description:
    'Makes a new key with the same scopes, and no later end. Both work until the overlap is over. The new key is in this answer alone: a replay tells only that it was shown. A key that has a successor is not rotated again, unless that one was revoked.',
  tags: ['gateway'],
  body: Type.Object(
    {
      overlap_seconds: Type.Optional(
        Type.Integer({ minimum: shortest, maximum: longest, default: usual, description: 'Until the old key ends' })
      )
    },
    { additionalProperties: false, examples: [{ overlap_seconds: usual }] }
  ),
  response: {
    201: Answer(ShownRotation, 'The new key'),
    ...failures(RotationUnderWay, ...ownMutationFailures)
  }
}

const rule = { scope: 'keys:rotate', limit: 'write', ofKey: true } as const

export function rotateKey(app: Api, { rotateKey: rotate }: { rotateKey: RotateKey }): void {
  app.post('/keys/rotate', { schema, config: { rule } }, async (request, reply) => {
    const rotation = await rotate(request.caller, request.body.overlap_seconds ?? usual)
    reply.header('cache-control', 'no-store')
    return reply.code(201).send({ success: true, data: { ...showRotation(rotation), key: rotation.key.reveal() } })
  })
}
