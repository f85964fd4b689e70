/** fast-check, with the seed of this run: a property asks the same questions each time (`seeds.ts`). */
import fc, { type Arbitrary, type StringConstraints } from 'fast-check'
import { inFull } from './campaigns.ts'
import { seedOf } from './seeds.ts'

fc.configureGlobal({ seed: seedOf('properties', 'fast-check') | 0 })

/** How many questions a property asks that asks so many in a campaign: a quarter of them, since they are the same each time. */
export function runs(inACampaign: number): number {
  return inFull ? inACampaign : Math.ceil(inACampaign / 4)
}

const firstSurrogate = 0xd800
const surrogates = 0x800

const anyCharacter = fc.integer({ min: 0, max: 0x10ffff - surrogates }).map(
  place => String.fromCodePoint(place < firstSurrogate ? place : place + surrogates),
  text => {
    const point = typeof text === 'string' && [...text].length === 1 ? (text.codePointAt(0) ?? -1) : -1
    return point < firstSurrogate ? point : point - surrogates
  }
)

/** Text of any characters. It stands for `unit: 'binary'`, whose list of all of them costs a process more than a second of CPU. */
export function anyText(constraints: Omit<StringConstraints, 'unit'> = {}): Arbitrary<string> {
  return fc.string({ ...constraints, unit: anyCharacter })
}

export default fc
export type { AsyncCommand } from 'fast-check'
