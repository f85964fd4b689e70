import type { Quota } from '../../domain/values/quota.ts'
import type { QuotaFile } from './quota-file.ts'
import type { Spent } from './quota-use.ts'

/** Shares of the quota that count as used where no gateway has left a record, and where none can be written. */
const usedWithoutRecord = 0.5
const usedUnwritable = 0.75
/** Share of the quota that an earlier version, which reserved no blocks, may have sent after its record. */
const unrecordedOnce = 0.05

export interface Start {
  quota: Quota
  /** A call of an earlier process may have been under way for so long. */
  deadlineMs: number
  /** The monotonic clock's time, and the boot that it belongs to. */
  nowMs: number
  bootId: string | null
  /** Whether a record can be written. */
  isWritable: boolean
}

/** Calls that count as used after a start, and a sentence on why they are not those on record; null when they are. */
export interface SpentBefore {
  spent: Spent[]
  doubt: string | null
}

const doubts = {
  noRecord:
    'there is no record of what is used of the quota: half of it counts as used for a window. Where each start finds an empty data folder, restarts can exceed the quota',
  unwritable: 'what is used of the quota cannot be written down: three quarters of it count as used for a window',
  unknown: 'what an earlier gateway has used of the quota is unknown: for a window nothing but stops is sent'
}

/**
 * Sums up the calls that a gateway which starts now must count as used: those on record, and those that may have been sent after it. A
 * record that can't be read leaves a whole window unknown, and so does one of another boot, which was not flushed to the disk and whose
 * age nobody knows. The record of a graceful stop is complete, also after another boot.
 */
export function spentBefore(
  record: Pick<QuotaFile, 'monotonicMs' | 'bootId' | 'spent' | 'reserved'> | 'unreadable' | null,
  { quota: { calls, seconds }, deadlineMs, nowMs, bootId, isWritable }: Start
): SpentBefore {
  const windowMs = seconds * 1_000
  const lateMs = nowMs + windowMs + deadlineMs
  const everything: SpentBefore = { spent: [{ calls, untilMs: lateMs }], doubt: doubts.unknown }
  if (record === 'unreadable') return everything
  const atLeast = isWritable ? 0 : Math.ceil(calls * usedUnwritable)
  if (record === null) {
    const half = Math.max(atLeast, Math.ceil(calls * usedWithoutRecord))
    return {
      spent: [{ calls: half, untilMs: nowMs + windowMs }],
      doubt: isWritable ? doubts.noRecord : doubts.unwritable
    }
  }
  const { monotonicMs = nowMs, reserved } = record
  const isOurs = record.bootId === bootId && monotonicMs <= nowMs
  if (!isOurs && reserved !== undefined && reserved > 0) return everything
  const sinceMs = isOurs ? monotonicMs : nowMs
  const spent = record.spent.map(({ calls, forMs }) => ({ calls, untilMs: sinceMs + forMs }))
  // Sent at any time until now: a gateway that was asked nothing may have left its last record long ago.
  spent.push({ calls: reserved ?? Math.ceil(calls * unrecordedOnce), untilMs: lateMs })
  const known = spent.filter(({ untilMs }) => untilMs > nowMs).reduce((sum, { calls }) => sum + calls, 0)
  spent.push({ calls: Math.max(0, atLeast - known), untilMs: nowMs + windowMs })
  return { spent: spent.filter(({ calls }) => calls > 0), doubt: isWritable ? null : doubts.unwritable }
}
