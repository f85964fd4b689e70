import { Type } from 'typebox'
import { longestRunSeconds, shortestRunSeconds } from '../../domain/ends/live-limits.ts'
import { RunNotFound, RunOver, RunWithoutMeeting } from '../../domain/refusals/failures.ts'
import { BroadcastRun, shownRun } from '../../domain/runs/shown-run.ts'
import type { ChangeRun } from '../../lifecycle/ends/change-run.ts'
import { Answer, failures, ownMutationFailures, RunParams } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'updateRun',
  summary: 'Extend or shorten a run',
  description:
    "The seconds count from the run's start. Where they have passed already, the run ends at once. A run that is over, is being stopped, or belongs to no meeting, is a 409.",
  tags: ['gateway'],
  params: RunParams,
  body: Type.Object(
    {
      max_duration_seconds: Type.Integer({
        minimum: shortestRunSeconds,
        maximum: longestRunSeconds,
        description: "At most the tenant's maximum",
        examples: [7_200]
      })
    },
    { additionalProperties: false, examples: [{ max_duration_seconds: 7_200 }] }
  ),
  response: {
    200: Answer(BroadcastRun, 'The run after the change'),
    ...failures(RunNotFound, RunOver, RunWithoutMeeting, ...ownMutationFailures)
  }
}

const rule = { scope: 'livestreams:start', limit: 'write' } as const

export function updateRun(app: Api, { changeRun }: { changeRun: ChangeRun }): void {
  app.patch('/runs/:run_id', { schema, config: { rule } }, async request => {
    const { caller, params, body } = request
    const run = await changeRun(caller, params.run_id, body.max_duration_seconds)
    return { success: true as const, data: shownRun(run) }
  })
}
