import { iso, success } from '../answers.ts'
import { vendors } from '../dialects/vendors.ts'
import { liveSeconds, type Run } from '../state/livestream.ts'
import type { VendorState } from '../state/state.ts'
import { inTime, inTimeOrSeconds } from './lists.ts'
import type { Routes, SimulatedCall } from './route.ts'

/**
 * Figures of the whole organization, L2 only (contract#analytics-answers). RealtimeKit takes Unix seconds as well, and gives
 * plain dates (contract#analytics-times) and one object overall (contract#two-published-forms).
 */
export function analyticsRoutes(state: VendorState): Routes {
  const { contract, lists, vendor } = state.settings
  if (contract === 'L1') return {}
  const { plainAnalytics } = vendors[vendor]
  return {
    'GET /analytics/livestreams/overall': call => {
      const overall = totals(runs(state, call), state.now())
      if (plainAnalytics || lists === 'schema') return success(overall)
      return success([{ date: iso(startOfDay(state.now())), ...overall }])
    },
    'GET /analytics/livestreams/daywise': call => {
      const byDay = Map.groupBy(runs(state, call), run => startOfDay(run.invokedAt))
      return success(
        [...byDay].map(([day, ofDay]) => ({
          date: plainAnalytics ? iso(day).slice(0, 10) : iso(day),
          ...totals(ofDay, state.now())
        }))
      )
    }
  }
}

function runs(state: VendorState, { query }: SimulatedCall): Run[] {
  const isInTime = (vendors[state.settings.vendor].plainAnalytics ? inTimeOrSeconds : inTime)(query)
  return [...state.runs.values()].filter(run => isInTime(run.invokedAt))
}

function totals(some: Run[], at: number): object {
  const seconds = some.reduce((sum, run) => sum + liveSeconds(run, at), 0)
  return {
    count: some.length,
    total_ingest_seconds: Math.round(seconds),
    total_viewer_seconds: Math.round(seconds * 0.984)
  }
}

/** UTC, like every time of the vendor. */
function startOfDay(at: number): number {
  return Math.floor(at / 86_400_000) * 86_400_000
}
