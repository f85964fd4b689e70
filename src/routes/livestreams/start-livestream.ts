import { Type } from 'typebox'
import { longestRunSeconds, shortestRunSeconds } from '../../domain/ends/live-limits.ts'
import { LivestreamName, LivestreamWithKey } from '../../domain/livestream.ts'
import {
  LiveElsewhere,
  LiveLimitReached,
  LivestreamDisabled,
  MeetingInactive,
  MeetingNotFound,
  StartUnsettled,
  StillStopping
} from '../../domain/refusals/failures.ts'
import { WaitQuery, waitDescription } from '../../domain/runs/wait.ts'
import type { StartOnce } from '../../lifecycle/broadcast/start.ts'
import { Answer, failures, MeetingParams, mutationFailures } from '../answer.ts'
import type { Api } from '../api.ts'

const pixels = Type.Optional(Type.Integer({ description: 'Pixels' }))

const schema = {
  operationId: 'startLivestream',
  summary: 'Start livestreaming a meeting',
  description:
    'Starts once: a meeting that is live, or being started by another call, answers 200 with its livestream and nothing second is started. `Livegate-Run` names its broadcast run (`GET /gateway/runs/{run_id}`). ' +
    waitDescription,
  tags: ['broadcast'],
  params: MeetingParams,
  querystring: WaitQuery,
  body: Type.Object(
    {
      name: Type.Optional(LivestreamName),
      video_config: Type.Optional(Type.Object({ height: pixels, width: pixels }, { additionalProperties: false })),
      manual_ingest: Type.Optional(
        Type.Boolean({ description: 'Sent by browser SDKs; the provider does not document what it does' })
      ),
      max_duration_seconds: Type.Optional(
        Type.Integer({
          minimum: shortestRunSeconds,
          maximum: longestRunSeconds,
          description:
            "Livegate stops the livestream when it has gone on for so long, at most the tenant's maximum. Where it was live already, that run may only become shorter",
          examples: [3_600]
        })
      )
    },
    { additionalProperties: false, examples: [{ name: 'friday-show' }] }
  ),
  response: {
    201: Answer(LivestreamWithKey, 'Started by this call'),
    200: Answer(LivestreamWithKey, 'The meeting was live already, or another call was starting it'),
    ...failures(
      MeetingNotFound,
      StartUnsettled,
      LiveElsewhere,
      StillStopping,
      LiveLimitReached,
      MeetingInactive,
      LivestreamDisabled,
      ...mutationFailures
    )
  }
}

const rule = { scope: 'livestreams:start', limit: 'write', lasts: 'wait' } as const

export function startLivestream(app: Api, { start }: { start: StartOnce }): void {
  app.post('/meetings/:meeting_id/livestreams', { schema, config: { rule } }, async (request, reply) => {
    const { livestream, how, runId } = await start(request.caller, request.meeting, request.body)
    if (runId !== null) reply.header('livegate-run', runId)
    reply.code(how === 'started' ? 201 : 200)
    return { success: true as const, data: livestream }
  })
}
