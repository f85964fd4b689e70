import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { canWriteQuotaFile, habitsBefore, inspectQuotaFile } from '../quota/quota-file.ts'
import type { Spent } from '../quota/quota-use.ts'
import { spentBefore } from '../quota/spent-before.ts'
import type { KeptHabits } from './vendor-habits.ts'

/** Use of the quota and habits, left by one way out to a vendor for the next. */
export interface Left {
  spent: readonly Spent[]
  habits: KeptHabits | undefined
}

export interface LeftOptions {
  file: string
  bootId: string | null
  deadlineMs: number
  clock: Clock
  log: { warn(facts: object, message: string): void }
}

/** Reads what an earlier process has left of an account. Where that is not known exactly, the log says what counts instead. */
export async function leftBefore(account: UpstreamAccount, options: LeftOptions): Promise<Left> {
  const { file, bootId, deadlineMs, clock, log } = options
  const [kept, isWritable] = await Promise.all([inspectQuotaFile(file), canWriteQuotaFile(file)])
  const start = { quota: account.quota, deadlineMs, nowMs: clock.monotonic(), bootId, isWritable }
  const { spent, doubt } = spentBefore(kept, start)
  if (doubt !== null) log.warn({ upstream: account.name, windowSeconds: account.quota.seconds }, doubt)
  return { spent, habits: habitsBefore(kept === 'unreadable' ? null : kept, clock.now()) }
}
