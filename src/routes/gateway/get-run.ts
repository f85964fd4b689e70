import { RunNotFound } from '../../domain/refusals/failures.ts'
import { BroadcastRun, shownRun } from '../../domain/runs/shown-run.ts'
import { Answer, failures, RunParams } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'getRun',
  summary: 'Fetch a broadcast run',
  description:
    'As Livegate knows it: the provider is not asked. The answer to a start names its run in `Livegate-Run`; any run of a meeting that was taken from the tenant is a 404.',
  tags: ['gateway'],
  params: RunParams,
  response: { 200: Answer(BroadcastRun, 'The run'), ...failures(RunNotFound) }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function getRun(app: Api): void {
  app.get('/runs/:run_id', { schema, config: { rule } }, async request => ({
    success: true as const,
    data: shownRun(request.run)
  }))
}
