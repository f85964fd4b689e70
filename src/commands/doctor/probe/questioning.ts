import type { ProviderKind } from '../../../domain/upstream-account.ts'
import type { Asker } from './asker.ts'
import type { Runs } from './started-runs.ts'
import type { World } from './surroundings.ts'

/** What the questions have in common: who asks, about which meeting, and what was started for it. */
export interface Questions {
  asker: Asker
  runs: Runs
  meetingId: string
  provider: ProviderKind
  world: World
}
