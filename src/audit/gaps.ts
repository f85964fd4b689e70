import type { ChainHead, StoredNote } from '../domain/audit-chain.ts'
import { type Reign, readSigned } from './reigns.ts'
import { readUnproved, type Superseded } from './statements.ts'

/** An older state of the log was put back, and goes on from there: what came after it until then is missing. */
export interface Gap {
  /** The event that tells it. */
  seq: number
  by: string
  timeMs: number
  /** The log whose events are missing: another one when the store was another one. */
  log: string
  fromSeq: number
  /** Null while nothing is known of what was lost, if anything was. */
  toSeq: number | null
}

/** A gap with what is needed to tell which checkpoints speak of what is missing. */
export interface Restore {
  gap: Gap
  /** What it follows in the log. */
  head: ChainHead
  /** The last event that the newer state had too: but for lost keys that were replaced in between, the same. */
  keptSeq: number
  superseded: Superseded | null
}

/** Null when the note is not what this key has signed of such a place. */
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
 * The restore that has taken away what this checkpoint vouches for: signed before it, about a place after the one that was put
 * back, by a key of the log of then. Null when there is none.
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
