import type { TenantAnalytics } from '../../lifecycle/resources/analytics.ts'
import type { Api } from '../api.ts'
import { getAnalytics } from './get-analytics.ts'
import { getDaywiseAnalytics } from './get-daywise-analytics.ts'

export interface AnalyticsDeps {
  analytics: TenantAnalytics
}

/** Registers the operations on figures. */
export function analyticsRoutes(api: Api, deps: AnalyticsDeps): void {
  getAnalytics(api, deps)
  getDaywiseAnalytics(api, deps)
}
