import { Type } from 'typebox'
import { DayAnalytics } from '../../domain/analytics.ts'
import { AnalyticsRangeQuery, readAnalyticsRange } from '../../domain/values/time-range.ts'
import type { TenantAnalytics } from '../../lifecycle/resources/analytics.ts'
import { Answer, failures } from '../answer.ts'
import type { Api } from '../api.ts'

const schema = {
  operationId: 'getDaywiseAnalytics',
  summary: "Fetch figures of the tenant's livestreams by day",
  description:
    "By the day in UTC on which a session began; days without one are left out. Of the tenant's own livestreams alone, from the sessions that Livegate has seen; ten livestreams at most are looked at anew.",
  tags: ['analytics'],
  querystring: Type.Object(AnalyticsRangeQuery, { additionalProperties: false }),
  response: { 200: Answer(Type.Array(DayAnalytics, { maxItems: 100_000 }), 'The figures'), ...failures() }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

export function getDaywiseAnalytics(app: Api, { analytics }: { analytics: TenantAnalytics }): void {
  app.get('/analytics/livestreams/daywise', { schema, config: { rule } }, async request => {
    const data = await analytics.daywise(request.caller, readAnalyticsRange(request.query))
    return { success: true as const, data }
  })
}
