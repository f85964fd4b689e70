import type { Clock } from '../domain/values/clock.ts'
import type { Deadlines } from './reads/deadline.ts'
import type { Changes } from './reads/shared-reads.ts'

/** The surroundings of whatever serves a request: time, log, how long a call may take, and how old an answer may be. */
export interface Context extends Deadlines {
  clock: Clock
  log: Record<'info' | 'warn' | 'error', (facts: object, message: string) => void>
  /** Tells shared reads that what they remember is out of date. */
  changes: Changes
  readTtlMs: number
}
