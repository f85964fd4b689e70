import { type LiveLimits, monthOf, noLiveLimits } from '../../domain/ends/live-limits.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Store } from '../../store/store.ts'
import { type LiveUse, liveUseIn } from '../../store/tables/runs/live-use.ts'
import { liveRoom } from '../broadcast/before-sending.ts'
import { OpenRuns, type OpenRunsDeps } from '../ledger/hub.ts'
import { type ChangeEndDeps, changeEnd } from './change-end.ts'
import { type ShortenRunDeps, shortenRun } from './change-run.ts'

export interface LimitingDeps extends Omit<ChangeEndDeps, 'openRuns' | 'hub' | 'runs' | 'clock'>, OpenRunsDeps {
  store: Store
  runs: ChangeEndDeps['runs'] & OpenRunsDeps['runs'] & ShortenRunDeps['runs']
  hub: ChangeEndDeps['hub'] & OpenRunsDeps['hub']
  directory: Pick<Directory, 'tenant'>
}

/** Use of a tenant's limits by its runs. */
export interface RunUse extends LiveUse {
  limits: LiveLimits
  /** The calendar month, in UTC, that the milliseconds belong to, such as `2026-12`. */
  month: string
}

/** Puts together what starts and ends of runs ask of the limits. */
export function limiting(deps: LimitingDeps) {
  const { store, runs, directory, clock } = deps
  const openRuns = new OpenRuns(deps)
  const change = changeEnd({ ...deps, openRuns })
  const use = liveUseIn(store)
  const limitsOf = (tenantId: string) => directory.tenant(tenantId)?.limits
  return {
    openRuns,
    changeEnd: change,
    use,
    limitsOf,
    /** @throws StoreError */
    async runUse(tenantId: string): Promise<RunUse> {
      const nowMs = clock.now()
      const used = await use.used({ tenantId, nowMs })
      return { ...used, limits: limitsOf(tenantId) ?? noLiveLimits, month: monthOf(nowMs).name }
    },
    liveRoom: liveRoom({ use, directory, clock }),
    shortenRun: shortenRun({ runs, openRuns, changeEnd: change })
  }
}
