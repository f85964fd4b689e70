import type { RunEnd } from '../runs/run.ts'

/** Limits of a tenant's runs: how long, how many at a time, how much in a month. Null: there is none. */
export interface LiveLimits {
  /** No run of the tenant is longer. */
  readonly maxDurationSeconds: number | null
  /** The length of a run whose start names none. */
  readonly defaultDurationSeconds: number | null
  /** Runs at the same time, with those that are being started. */
  readonly maxLive: number | null
  /** Minutes on air in a calendar month (UTC), of all runs together. */
  readonly minutesPerMonth: number | null
  /** Whether a run ends when its meeting does. */
  readonly stopWithMeeting: boolean
}

export const noLiveLimits: LiveLimits = {
  maxDurationSeconds: null,
  defaultDurationSeconds: null,
  maxLive: null,
  minutesPerMonth: null,
  stopWithMeeting: true
}

/** Bounds of every `max_duration_seconds`: a run is not shorter than the first, and no limit is longer than the second (30 days). */
export const shortestRunSeconds = 10
export const longestRunSeconds = 2_592_000

/** How long a run may last that names no time of its own; null: for ever. */
export function usualSeconds({ maxDurationSeconds, defaultDurationSeconds }: LiveLimits): number | null {
  if (defaultDurationSeconds === null || maxDurationSeconds === null)
    return defaultDurationSeconds ?? maxDurationSeconds
  return Math.min(defaultDurationSeconds, maxDurationSeconds)
}

/** The end of a run that is about to be started; null where it may last for ever. */
export function endOfStart(
  seconds: number | null,
  limits: LiveLimits,
  nowMs: number
): Partial<Pick<RunEnd, 'maxDurationSeconds' | 'deadlineAtMs'>> {
  const maxDurationSeconds = seconds ?? usualSeconds(limits)
  return maxDurationSeconds === null ? {} : { maxDurationSeconds, deadlineAtMs: nowMs + maxDurationSeconds * 1_000 }
}

/** The calendar month, in UTC, that a time lies in. */
export function monthOf(atMs: number): { startMs: number; endMs: number; name: string } {
  const date = new Date(atMs)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { startMs: Date.UTC(year, month), endMs: Date.UTC(year, month + 1), name: date.toISOString().slice(0, 7) }
}
