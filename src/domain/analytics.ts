import { type Static, Type } from 'typebox'

/** No figure of a livestream comes near it. A sum of larger ones would be a number that JSON does not have. */
export const largestFigure = 1_000_000_000

/** Whether it may be kept, and counted in. */
export function isFigure(value: unknown): value is number {
  // Also false for NaN.
  return typeof value === 'number' && value >= 0 && value <= largestFigure
}

const Whole = (description: string, example: number) => Type.Integer({ minimum: 0, description, examples: [example] })

const figures = {
  count: Whole('How many sessions of livestreams began', 4),
  total_ingest_seconds: Whole('Seconds of video that came in', 531),
  total_viewer_seconds: Whole('Seconds that viewers saw, all together', 116)
}

/** Totals of the tenant's livestreams over a time (contract#analytics-answers). */
export const Analytics = Type.Object(figures)
export type Analytics = Static<typeof Analytics>

/** The same for one day, in UTC. */
export const DayAnalytics = Type.Object({
  date: Type.String({ description: 'The day in UTC, by its first moment', examples: ['2026-11-20T00:00:00.000Z'] }),
  ...figures
})
export type DayAnalytics = Static<typeof DayAnalytics>

/** By when a session began; both ends are included. Epoch milliseconds. */
export interface AnalyticsRange {
  fromMs?: number | undefined
  toMs?: number | undefined
}
