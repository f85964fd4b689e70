import type { Directory } from '../../store/memory/directory.ts'
import type { Store } from '../../store/store.ts'
import { liveUseIn } from '../../store/tables/runs/live-use.ts'
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
    liveRoom: liveRoom({ use, directory, clock }),
    shortenRun: shortenRun({ runs, openRuns, changeEnd: change })
  }
}
