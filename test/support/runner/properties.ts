/** fast-check, with the seed of this run: a property asks the same questions each time (`seeds.ts`). */
import fc from 'fast-check'
import { inFull } from './campaigns.ts'
import { seedOf } from './seeds.ts'

fc.configureGlobal({ seed: seedOf('properties', 'fast-check') | 0 })

/** How many questions a property asks that asks so many in a campaign: a quarter of them, since they are the same each time. */
export function runs(inACampaign: number): number {
  return inFull ? inACampaign : Math.ceil(inACampaign / 4)
}

export default fc
export type { AsyncCommand } from 'fast-check'
