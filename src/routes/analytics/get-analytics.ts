import { Type } from 'typebox'
import { Analytics } from '../../domain/analytics.ts'
import { AnalyticsRangeQuery, readAnalyticsRange } from '../../domain/values/time-range.ts'
import type { TenantAnalytics } from '../../lifecycle/resources/analytics.ts'
import { Answer, failures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'getAnalytics',
  summary: "Fetch overall figures of the tenant's livestreams",
  description:
    "Of the tenant's own livestreams alone, from the sessions that Livegate has seen; ten livestreams at most are looked at anew.",
  tags: ['analytics'],
  querystring: Type.Object(AnalyticsRangeQuery, { additionalProperties: false }),
  response: { 200: Answer(Analytics, 'The figures'), ...failures() }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function getAnalytics(app: Api, { analytics }: { analytics: TenantAnalytics }): void {
  app.get('/analytics/livestreams/overall', { schema, config: { rule } }, async request => {
    const data = await analytics.overall(request.caller, readAnalyticsRange(request.query))
    return { success: true as const, data }
  })
}
