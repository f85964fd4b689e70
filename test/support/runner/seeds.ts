/**
 * Seeds decide everything that a test leaves to luck. The normal run makes the same choices each time, so that it is as green on
 * the next machine as on this one; fresh choices are for `npm run campaign`. `LIVEGATE_SEED` makes those of another run again.
 */
import { hash } from 'node:crypto'

/** The seeds of the normal run. Each name below mixes its own choices from it. */
const fixed = { properties: 'november', campaigns: 'december' }

export const seeds = {
  /** The seed of the property tests (`properties.ts`). */
  properties: process.env.LIVEGATE_SEED ?? fixed.properties,
  /** The seed of the campaigns (`campaigns.ts`). */
  campaigns: process.env.LIVEGATE_SEED ?? fixed.campaigns
}

/** Says how to make the choices of a campaign again. */
export function printSeed(t: { comment(text: string): void }): void {
  t.comment(`LIVEGATE_SEED=${seeds.campaigns}`)
}

/** A number of 32 bits for whatever has this name. */
export function seedOf(kind: keyof typeof seeds, name: string): number {
  return Number.parseInt(hash('sha256', `${seeds[kind]} ${name}`).slice(0, 8), 16)
}
