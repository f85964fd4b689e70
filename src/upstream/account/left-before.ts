import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Quota } from '../../domain/values/quota.ts'
import { canWriteQuotaFile, habitsBefore, inspectQuotaFile, type QuotaFile } from '../quota/quota-file.ts'
import type { Spent } from '../quota/quota-use.ts'
import type { KeptHabits } from './observed.ts'

/** Shares of the quota that count as used where no gateway has left a quota file, and where none can be written. */
const usedWithoutFile = 0.5
const usedUnwritable = 0.75
/** Share of the quota that an earlier version, which reserved no blocks, may have sent after it wrote the file. */
const unreservedOnce = 0.05

export interface Start {
  quota: Quota
  /** Longest time that a call of an earlier process may have been under way. */
  deadlineMs: number
  /** The monotonic clock's time, and the boot that it belongs to. */
  nowMs: number
  bootId: string | null
  /** Whether the quota file can be written. */
  isWritable: boolean
}

/** Calls that count as used after a start, and a sentence on why they are not those of the quota file; null when they are. */
export interface SpentBefore {
  spent: Spent[]
  doubt: string | null
}

const doubts = {
  noFile:
    'there is no record of what is used of the quota: half of it counts as used for a window. Where each start finds an empty data folder, restarts can exceed the quota',
  unwritable: 'what is used of the quota cannot be written down: three quarters of it count as used for a window',
  unknown: 'what an earlier gateway has used of the quota is unknown: for a window nothing but stops is sent'
}

/**
 * Sums up the calls that a gateway which starts now must count as used: those in the quota file, and those that may have been sent after it
 * was written. A file that can't be read leaves a whole window unknown. So does one of another boot, which was not flushed to the disk and
 * whose age is unknown. The file of a graceful stop is complete, also after another boot.
 */
export function spentBefore(
  kept: Pick<QuotaFile, 'monotonicMs' | 'bootId' | 'spent' | 'reserved'> | 'unreadable' | null,
  { quota: { calls, seconds }, deadlineMs, nowMs, bootId, isWritable }: Start
): SpentBefore {
  const windowMs = seconds * 1_000
  const lateMs = nowMs + windowMs + deadlineMs
  const everything: SpentBefore = { spent: [{ calls, untilMs: lateMs }], doubt: doubts.unknown }
  if (kept === 'unreadable') return everything
  const atLeast = isWritable ? 0 : Math.ceil(calls * usedUnwritable)
  if (kept === null) {
    const half = Math.max(atLeast, Math.ceil(calls * usedWithoutFile))
    return {
      spent: [{ calls: half, untilMs: nowMs + windowMs }],
      doubt: isWritable ? doubts.noFile : doubts.unwritable
    }
  }
  const { monotonicMs = nowMs, reserved } = kept
  const isOurs = kept.bootId === bootId && monotonicMs <= nowMs
  if (!isOurs && reserved !== undefined && reserved > 0) return everything
  const sinceMs = isOurs ? monotonicMs : nowMs
  const spent = kept.spent.map(({ calls, forMs }) => ({ calls, untilMs: sinceMs + forMs }))
  // These may have been sent at any time until now: a gateway that was asked nothing has written its last file long ago.
  spent.push({ calls: reserved ?? Math.ceil(calls * unreservedOnce), untilMs: lateMs })
  const known = spent.filter(({ untilMs }) => untilMs > nowMs).reduce((sum, { calls }) => sum + calls, 0)
  spent.push({ calls: Math.max(0, atLeast - known), untilMs: nowMs + windowMs })
  return { spent: spent.filter(({ calls }) => calls > 0), doubt: isWritable ? null : doubts.unwritable }
}

/** Use of the quota and habits, left by one way out to a vendor for the next. */
export interface HandedOn {
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
export async function leftBefore(account: UpstreamAccount, options: LeftOptions): Promise<HandedOn> {
  const { file, bootId, deadlineMs, clock, log } = options
  const [kept, isWritable] = await Promise.all([inspectQuotaFile(file), canWriteQuotaFile(file)])
  const start = { quota: account.quota, deadlineMs, nowMs: clock.monotonic(), bootId, isWritable }
  const { spent, doubt } = spentBefore(kept, start)
  if (doubt !== null)
    log.warn({ event: 'quota_unknown', upstream: account.name, windowSeconds: account.quota.seconds }, doubt)
  return { spent, habits: habitsBefore(kept === 'unreadable' ? null : kept, clock.now()) }
}
