import { type Static, Type } from 'typebox'

/** Habits that an account has shown. Kept over a restart (`quota-file.ts`), but for how it counts. */
export interface VendorHabits {
  /** It has refused a second start with 409: then one look at its lists is enough before a start. */
  readonly refusesSecondStart: boolean
  noteSecondStartRefused(): void
  /** It has answered 5xx for a meeting with nothing live three times while its lists could be read: ask the lists first, for an hour. */
  readonly failsWhenNothingIsLive: boolean
  noteFailedWhenNothingWasLive(): void
  /** It has said as it should that nothing is live: for an hour what it fails for is the matter of one meeting, and no habit. */
  noteSaidNothingIsLive(): void
  /** It has counted more in a list than it showed on the page, within the last hour: its counts are of all pages. */
  readonly countsBeyondPage: boolean
  noteCountedBeyondPage(): void
}

/** The habits as they are kept over a restart. */
export const KeptHabits = Type.Object({
  /** The vendor that has them: another address may have others. */
  of: Type.String({ maxLength: 300 }),
  refusesSecondStart: Type.Boolean(),
  /** For so long it is still believed that a look fails where nothing is live. */
  failsForMs: Type.Number({ minimum: 0 })
})
export type KeptHabits = Static<typeof KeptHabits>
