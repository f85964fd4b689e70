import { iso, success } from '../answers.ts'
import { liveSeconds, type Run } from '../state/livestream.ts'
import type { World } from '../state/state.ts'
import { inTime, inTimeOrSeconds } from './lists.ts'
import type { Call, Routes } from './route.ts'

/**
 * Figures of the whole organization, L2 only (contract#analytics-answers). RealtimeKit takes Unix seconds as well, and gives
 * plain dates (contract#analytics-times) and one object overall (contract#two-published-forms).
 */
export function analyticsRoutes(world: World): Routes {
  const { contract, lists, vendor } = world.settings
  if (contract === 'L1') return {}
  const isDyte = vendor === 'dyte'
  return {
    'GET /analytics/livestreams/overall': call => {
      const overall = totals(runs(world, call), world.now())
      if (!isDyte || lists === 'schema') return success(overall)
      return success([{ date: iso(startOfDay(world.now())), ...overall }])
    },
    'GET /analytics/livestreams/daywise': call => {
      const byDay = Map.groupBy(runs(world, call), run => startOfDay(run.invokedAt))
      return success(
        [...byDay].map(([day, ofDay]) => ({
          date: isDyte ? iso(day) : iso(day).slice(0, 10),
          ...totals(ofDay, world.now())
        }))
      )
    }
  }
}

function runs(world: World, { query }: Call): Run[] {
  const isInTime = (world.settings.vendor === 'dyte' ? inTime : inTimeOrSeconds)(query)
  return [...world.runs.values()].filter(run => isInTime(run.invokedAt))
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
