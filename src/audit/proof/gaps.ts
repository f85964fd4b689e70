import type { ChainHead, StoredNote } from '../../domain/audit/audit-chain.ts'
import { type Reign, readSigned } from './reigns.ts'
import { readUnproved, type Superseded } from './statements.ts'

/** The events that are missing because an older state of the log was put back. */
export interface Gap {
  /** The event that records it. */
  seq: number
  by: string
  timeMs: number
  /** The log whose events are missing: another one when the store was another one. */
  log: string
  fromSeq: number
  /** Null while nothing is known of what was lost, if anything was. */
  toSeq: number | null
}

/** A restore on record, with what tells which checkpoints vouch for the missing events. */
export interface Restore {
  gap: Gap
  /** The last event before the one that records the restore. */
  head: ChainHead
  /** The last event that the newer state had too. It is that of `head`, unless lost keys were replaced in between. */
  keptSeq: number
  superseded: Superseded | null
}

/** Reads a note of a restore; null when this key has not signed it, or it is about another place. */
export function readRestore({ note, seq, timeMs }: StoredNote, log: string, key: string): Restore | null {
  const said = readSigned(note, key)
  if (said?.kind !== 'restore' || said.log !== log || said.timeMs !== timeMs || said.head?.seq !== seq - 1) return null
  const keptSeq = said.keptSeq ?? 0
  if (keptSeq >= seq) return null
  const superseded = said.superseded ?? null
  const isOther = superseded !== null && superseded.log !== log
  const gap: Gap = {
    seq,
    by: said.by ?? '',
    timeMs,
    log: superseded?.log ?? log,
    fromSeq: isOther ? 1 : keptSeq + 1,
    toSeq: superseded?.head.seq ?? null
  }
  return { gap, head: said.head, keptSeq, superseded }
}

/**
 * Finds the restore that has taken away the events of this checkpoint: one that was signed before the restore, about events after
 * the state that was put back, by a key that the log had then. Null when there is none.
 */
export function restoreAfter(note: string, restores: readonly Restore[], reigns: readonly Reign[]): Restore | null {
  const said = readUnproved(note)
  if (said?.kind !== 'checkpoint' || said.head === undefined) return null
  const { log, head, timeMs } = said
  const found = restores.find(({ gap, keptSeq, superseded }) => {
    const isTheVeryOne = superseded?.head.hash === head.hash && superseded.head.seq === head.seq
    if (superseded?.log === log && isTheVeryOne) return true
    if (log !== gap.log || head.seq < gap.fromSeq || timeMs > gap.timeMs) return false
    const keys = reigns.filter(({ fromSeq }) => fromSeq <= keptSeq).map(({ key }) => key)
    return [...keys, superseded?.publicKey ?? ''].some(key => readSigned(note, key) !== null)
  })
  return found ?? null
}
