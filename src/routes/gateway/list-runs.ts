import { Type } from 'typebox'
import { MeetingId } from '../../domain/id.ts'
import type { Run } from '../../domain/runs/run.ts'
import { BroadcastRun, shownRun } from '../../domain/runs/shown-run.ts'
import { type Page, PageQuery, pagingOf } from '../../domain/values/paging.ts'
import { failures, PagedAnswer } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'listRuns',
  summary: "Fetch the tenant's broadcast runs",
  description:
    "One for each broadcast, whoever began it, the newest first. From what Livegate knows: the provider is not asked. A meeting that is not the tenant's has none.",
  tags: ['gateway'],
  querystring: Type.Object(
    {
      live: Type.Optional(
        Type.Boolean({ description: 'true: only those that go on; false: only those that are over' })
      ),
      meeting_id: Type.Optional(MeetingId),
      ...PageQuery
    },
    { additionalProperties: false }
  ),
  response: { 200: PagedAnswer(BroadcastRun, "A page of the tenant's runs"), ...failures() }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

/** Source of the runs: those of one tenant, the newest first, and how many there are in all. */
export interface TenantLedger {
  list(
    tenantId: string,
    filter: Page & { meetingId?: string | undefined; live?: boolean | undefined }
  ): Promise<{ runs: Run[]; total: number }>
}

export function listRuns(app: Api, { ledger }: { ledger: TenantLedger }): void {
  app.get('/runs', { schema, config: { rule } }, async request => {
    const { page_no: pageNo = 1, per_page: perPage = 25, meeting_id: meetingId, live } = request.query
    const page = { pageNo, perPage }
    const { runs, total } = await ledger.list(request.caller.tenant.id, { ...page, meetingId, live })
    return { success: true as const, data: runs.map(shownRun), paging: pagingOf(page, runs.length, total) }
  })
}
