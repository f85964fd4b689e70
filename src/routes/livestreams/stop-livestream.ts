import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { MeetingNotFound, NoActiveLivestream, StartUnsettled, StopUnderWay } from '../../domain/refusals/failures.ts'
import type { Stop } from '../../lifecycle/broadcast/stop.ts'
import { stoppedData } from '../../lifecycle/operations/broadcast-ends.ts'
import { Answer, bodilessFailures, failures, MeetingParams } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'stopLivestream',
  summary: "Stop a meeting's active livestream",
  description:
    'Always asks the provider. 200 as well when the run that Livegate knew has ended by itself; 404 `no_active_livestream` when nothing is live and none was ever seen. It has no fields: a body is not read, whatever its type.',
  tags: ['broadcast'],
  params: MeetingParams,
  response: {
    200: Answer(Type.Object({ message: Type.String({ maxLength: 128 }) }), 'Nothing is live any more'),
    ...failures(MeetingNotFound, NoActiveLivestream, StartUnsettled, StopUnderWay, ...bodilessFailures)
  }
}

const rule = { scope: 'livestreams:stop', limit: 'never' } as const

export interface StopDeps {
  stop: Stop
  /** A stop that had nothing to stop counts as a write, though no limit refuses it. */
  spendWrite(request: FastifyRequest, reply: FastifyReply): Promise<void>
}

export function stopLivestream(app: Api, { stop, spendWrite }: StopDeps): void {
  app.post('/meetings/:meeting_id/active-livestream/stop', { schema, config: { rule } }, async (request, reply) => {
    try {
      const { fruitless } = await stop(request.caller, request.meeting)
      if (fruitless) await spendWrite(request, reply)
    } catch (error) {
      if (error instanceof NoActiveLivestream) await spendWrite(request, reply)
      throw error
    }
    return { success: true as const, data: stoppedData }
  })
}
