import { type Static, Type } from 'typebox'

/** Habits that an account has shown. Kept over a restart (`quota-file.ts`), but for how it counts. */
export interface VendorHabits {
  /** Whether it has refused a second start with 409: then one look at its lists is enough before a start. */
  readonly refusesSecondStart: boolean
  noteSecondStartRefused(): void
  /** Whether it has answered 5xx three times for a meeting with nothing live, while its lists could be read. Then they are asked first, for an hour. */
  readonly failsWhenNothingIsLive: boolean
  noteFailedWhenNothingWasLive(): void
  /** Notes that it has said as it should that nothing is live: for an hour a failure is the matter of one meeting, and no habit. */
  noteSaidNothingIsLive(): void
  /** Whether it has counted more in a list than it showed on the page, within the last hour: its counts are of all pages. */
  readonly countsBeyondPage: boolean
  noteCountedBeyondPage(): void
}

/** The habits as they are kept over a restart. */
export const KeptHabits = Type.Object({
  /** The vendor that has them: another address may have others. */
  of: Type.String({ maxLength: 300 }),
  refusesSecondStart: Type.Boolean(),
  /** Time for which it is still believed that a look fails where nothing is live. */
  failsForMs: Type.Number({ minimum: 0 })
})
export type KeptHabits = Static<typeof KeptHabits>
