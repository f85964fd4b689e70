import { isoTimePattern, readTime } from '../../domain/values/time-range.ts'
import { UsageError } from './io.ts'

/** Epoch milliseconds of an option that names a day or a time with its zone. @throws UsageError */
export function readMoment(option: string, text: string): number {
  const wrong = new UsageError(`${option} must be ISO 8601 with its zone, like 2026-11-20T09:30:00Z, or a day`)
  if (!new RegExp(isoTimePattern).test(text)) throw wrong
  try {
    return readTime(option, text) as number
  } catch {
    throw wrong
  }
}
