import type { Vendor } from '../../../upstream/vendors/vendor.ts'
import type { Asker } from './asker.ts'
import type { StartedRuns } from './started-runs.ts'
import type { Surroundings } from './surroundings.ts'

/** The common ground of all questions: the one that asks, the meeting, and the runs that were started for it. */
export interface Questions {
  asker: Asker
  runs: StartedRuns
  meetingId: string
  vendor: Vendor
  surroundings: Surroundings
}
