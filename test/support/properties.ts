/** fast-check, with the seed of this run: a property asks the same questions each time (`seeds.ts`). */
import fc from 'fast-check'
import { seedOf } from './seeds.ts'

fc.configureGlobal({ seed: seedOf('properties', 'fast-check') | 0 })

export default fc
export type { AsyncCommand } from 'fast-check'
