import type { ChainHead, StoredNote } from '../../domain/audit/audit-chain.ts'
import type { LogFault } from './log-fault.ts'
import { openNote } from './note.ts'
import { readStatement, readUnproved, type Statement } from './statements.ts'

/** A key, with the first place of the log that it signs. */
export interface Reign {
  key: string
  fromSeq: number
  /** The number of keys that were lost before. Signatures connect the keys of one segment, and never two segments. */
  segment: number
}

/** A signing key that was lost and replaced, as the new one tells. */
export interface KeyLoss {
  /** The event that records it. */
  seq: number
  by: string
  timeMs: number
  keys: { before: string; after: string }
  /** The end of the log then. */
  head: ChainHead
}

/** The keys of a log in the order in which they have signed. */
export interface Reigns {
  all: Reign[]
  losses: KeyLoss[]
}

/**
 * Reads the changes of the key. Each is signed by the key before it or, when that was lost, by the one after it. The first change
 * itself names the first key; `trustedReigns` shows whether to believe it.
 */
export function readReigns(
  log: string,
  notes: readonly StoredNote[],
  publicKey: string | null,
  trustedKey: string
): Reigns | LogFault {
  const changes = notes.filter(({ kind }) => kind === 'key' || kind === 'lost-key')
  const [first] = changes
  const firstKey = first === undefined ? (publicKey ?? trustedKey) : readUnproved(first.note)?.keys?.before
  const all: Reign[] = [{ key: firstKey ?? '', fromSeq: 0, segment: 0 }]
  const losses: KeyLoss[] = []
  for (const { kind, note, seq, timeMs } of changes) {
    const { key: before, segment } = all.at(-1) as Reign
    const isLost = kind === 'lost-key'
    const said = readSigned(note, isLost ? (readUnproved(note)?.keys?.after ?? '') : before)
    const fits = said?.kind === kind && said.log === log && said.timeMs === timeMs && seq >= 1
    if (!fits || said.keys?.before !== before) {
      const why = `the change of the signing key is not signed by the key ${isLost ? 'after' : 'before'}`
      return { seq, why }
    }
    const { keys, by = '', head } = said
    all.push({ key: keys.after, fromSeq: seq, segment: segment + (isLost ? 1 : 0) })
    if (head !== undefined) losses.push({ seq, by, timeMs, keys, head })
  }
  if (notes.length > 0 && all.at(-1)?.key !== publicKey) {
    return { seq: null, why: 'the key that signs by what the store says is not the one that signed last' }
  }
  return { all, losses }
}

/** The keys that were lost, as a log's own notes tell: for somebody who trusts the key files beside the log anyway. */
export function lostKeys(notes: readonly StoredNote[]): string[] {
  return notes.flatMap(({ kind, note }) => (kind === 'lost-key' ? (readUnproved(note)?.keys?.before ?? []) : []))
}

/** The first reign of each segment whose key is trusted. A key vouches for no other segment, so each needs such a reign. */
export function trustedReigns({ all, losses }: Reigns, trusted: readonly string[]): number[] | LogFault {
  const segments = losses.length + 1
  const first = Array.from({ length: segments }, (_, i) =>
    all.findIndex(({ key, segment }) => segment === i && trusted.includes(key))
  )
  if (first.every(index => index === -1)) {
    return { seq: null, why: 'the log is signed by another key than the trusted one' }
  }
  const missing = first.indexOf(-1)
  if (missing === -1) return first
  // The segment that no trusted key has signed lies before the first loss, or after the one before it.
  const { seq, by, timeMs } = losses[Math.max(0, missing - 1)] as KeyLoss
  const when = new Date(timeMs).toISOString()
  return {
    seq,
    why: `the signing key was lost, and replaced by ${by} at ${when}: the public keys of before and after are needed (--public-key, several times)`
  }
}

/** Reads a note that this key has signed; null when it has not. */
export function readSigned(note: string, key: string): Statement | null {
  const text = openNote(note, key)
  return text === null ? null : readStatement(text)
}
