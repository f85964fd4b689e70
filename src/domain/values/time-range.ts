import { Type } from 'typebox'
import type { AnalyticsRange } from '../analytics.ts'
import { type FailureDetail, InvalidInput } from '../refusals/failures.ts'

export const isoTimePattern = '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2}))?$'

/** A query field with a point in time: ISO 8601, a date alone or a time with its zone. */
export const isoTime = (description: string) =>
  Type.Optional(
    Type.String({
      maxLength: 35,
      pattern: isoTimePattern,
      description,
      examples: ['2026-11-20T00:00:00Z']
    })
  )

/** The vendor's range (contract#list-query, contract#analytics-answers). Both ends are included. */
export const TimeRangeQuery = {
  start_time: isoTime('Created at this time or later'),
  end_time: isoTime('Created at this time or earlier')
}

/** ISO 8601 as Dyte takes it, or Unix seconds as RealtimeKit does (contract#analytics-times). */
export const eitherTimePattern = `^\\d{1,11}$|${isoTimePattern}`

const eitherTime = (description: string) =>
  Type.Optional(
    Type.String({
      maxLength: 35,
      pattern: eitherTimePattern,
      description: `${description}: ISO 8601, or Unix seconds`,
      examples: ['2026-11-20T00:00:00Z']
    })
  )

/** The range of analytics. Both ends are included. */
export const AnalyticsRangeQuery = {
  start_time: eitherTime('Sessions that began at this time or later'),
  end_time: eitherTime('Sessions that began at this time or earlier')
}

/** @throws InvalidInput for a day that no calendar has, or a range that ends before it starts */
export function readAnalyticsRange({
  start_time,
  end_time
}: {
  start_time?: string
  end_time?: string
}): AnalyticsRange {
  const fromSeconds = readSeconds(start_time)
  const toSeconds = readSeconds(end_time)
  const { createdFromMs, createdToMs } = readTimeRange({
    ...(start_time !== undefined && { start_time: fromSeconds ?? start_time }),
    ...(end_time !== undefined && { end_time: toSeconds ?? end_time })
  })
  return { fromMs: createdFromMs, toMs: createdToMs }
}

/** Unix seconds as ISO 8601. */
function readSeconds(text: string | undefined): string | undefined {
  return text !== undefined && /^\d{1,11}$/.test(text) ? new Date(Number(text) * 1_000).toISOString() : undefined
}

/** Epoch milliseconds. @throws InvalidInput for a day that no calendar has, or a range that ends before it starts */
export function readTimeRange(query: { start_time?: string; end_time?: string }): {
  createdFromMs: number | undefined
  createdToMs: number | undefined
} {
  const createdFromMs = readTime('query.start_time', query.start_time)
  const createdToMs = lastMoment(query.end_time, readTime('query.end_time', query.end_time))
  if (createdFromMs !== undefined && createdToMs !== undefined && createdToMs < createdFromMs) {
    throw invalid({ field: 'query.end_time', message: 'must not be before start_time' })
  }
  return { createdFromMs, createdToMs }
}

/** Epoch milliseconds of an ISO 8601 text. @throws InvalidInput naming the field */
export function readTime(field: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = Date.parse(text)
  if (Number.isNaN(ms) || !isCalendarDay(text.slice(0, 10))) throw invalid({ field, message: 'is not a time' })
  return ms
}

/** A day as the end of a range is meant to its last moment. */
function lastMoment(text: string | undefined, ms: number | undefined): number | undefined {
  return ms !== undefined && text?.length === 'yyyy-mm-dd'.length ? ms + 86_400_000 - 1 : ms
}

/** `Date.parse` takes the 30th of February for the 2nd of March. */
function isCalendarDay(day: string): boolean {
  const ms = Date.parse(day)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day)
}

function invalid(detail: FailureDetail) {
  return new InvalidInput({ details: [detail] })
}
