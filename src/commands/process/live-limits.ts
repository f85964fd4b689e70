import { type LiveLimits, longestRunSeconds, shortestRunSeconds } from '../../domain/ends/live-limits.ts'
import { formatDuration, parseDuration } from '../../domain/values/duration.ts'
import { UsageError } from './io.ts'

/** Options of a tenant that limit its runs. `none` takes a limit away. */
export interface LiveLimitOptions {
  maxDuration?: string
  defaultDuration?: string
  maxLive?: string
  minutesPerMonth?: string
  stopWithMeeting?: string
}

const most = 1_000_000_000

/** The limits that were named. @throws UsageError that names the option */
export function readLiveLimits(options: LiveLimitOptions): Partial<LiveLimits> {
  const { maxDuration, defaultDuration, maxLive, minutesPerMonth, stopWithMeeting } = options
  return {
    ...(maxDuration !== undefined && { maxDurationSeconds: readSeconds('--max-duration', maxDuration) }),
    ...(defaultDuration !== undefined && {
      defaultDurationSeconds: readSeconds('--default-duration', defaultDuration)
    }),
    ...(maxLive !== undefined && { maxLive: readNumber('--max-live', maxLive) }),
    ...(minutesPerMonth !== undefined && { minutesPerMonth: readNumber('--minutes-per-month', minutesPerMonth) }),
    ...(stopWithMeeting !== undefined && { stopWithMeeting: readSwitch('--stop-with-meeting', stopWithMeeting) })
  }
}

/** Checks limits that were set at different times. @throws UsageError */
export function checkLiveLimits({ maxDurationSeconds, defaultDurationSeconds }: LiveLimits): void {
  if (maxDurationSeconds === null || defaultDurationSeconds === null || defaultDurationSeconds <= maxDurationSeconds)
    return
  const [usual, longest] = [defaultDurationSeconds, maxDurationSeconds].map(seconds => formatDuration(seconds * 1_000))
  throw new UsageError(`--default-duration ${usual} is longer than --max-duration ${longest}`)
}

export function shownLiveLimits(limits: LiveLimits) {
  return {
    max_duration_seconds: limits.maxDurationSeconds,
    default_duration_seconds: limits.defaultDurationSeconds,
    max_live: limits.maxLive,
    minutes_per_month: limits.minutesPerMonth,
    stop_with_meeting: limits.stopWithMeeting
  }
}

function readSeconds(option: string, text: string): number | null {
  if (text === 'none') return null
  const seconds = (parseDuration(text) ?? 0) / 1_000
  if (seconds < shortestRunSeconds || seconds > longestRunSeconds)
    throw new UsageError(`${option} must be like 90m, 4h or 1d, from 10s to 30d, or none`)
  return seconds
}

function readNumber(option: string, text: string): number | null {
  if (text === 'none') return null
  const number = /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(number) || number > most) throw new UsageError(`${option} must be a whole number from 0, or none`)
  return number
}

/** @throws UsageError */
export function readSwitch(option: string, text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new UsageError(`${option} must be on or off`)
  return text === 'on'
}
