import { type ChainHead, type NoteKind, notedKinds, type StoredNote } from '../../domain/audit/audit-chain.ts'
import { type Gap, type Restore, readRestore, restoreAfter } from './gaps.ts'
import type { LogFault } from './log-fault.ts'
import { openNote, readPublicKey } from './note.ts'
import { type KeyLoss, type Reign, type Reigns, readReigns, readSigned, trustedReigns } from './reigns.ts'
import { readUnproved, type Statement } from './statements.ts'

export interface Evidence {
  /** The log's own name; notes about another one are none of its. */
  log: string
  /** Notes of the store, in the order of the log. */
  notes: readonly StoredNote[]
  /** Copies of checkpoints from other places. */
  outside?: readonly string[]
  /** The key that signs by what the store says. */
  publicKey: string | null
  /** A trusted copy of a key that signs or has signed. */
  trustedKey: string
  /** Further trusted keys: across a lost key, one from before and one from after it are needed. */
  alsoTrusted?: readonly string[]
}

/** A place of the log and its hash, by a signed note. */
export interface HeadClaim {
  head: ChainHead
  /** The note, in words: `the checkpoint of <time>`. */
  from: string
  /** Set when a restore may have taken these events away: then the log may hold others. */
  gap: Gap | null
}

/** Claims of the signatures about a log. */
export interface Signed {
  heads: HeadClaim[]
  /** Place of the last cut. */
  cut: ChainHead | null
  /** The last checkpoint that counts. */
  last: { seq: number; timeMs: number } | null
  checkpoints: number
  /** The notes of what was done to the log, by the event that must carry each. */
  noted: ReadonlyMap<number, StoredNote>
  /** The hash that an event must follow by what its note says. */
  follows: ReadonlyMap<number, string>
  /** Places where the log goes on from an older state. */
  gaps: Gap[]
  losses: KeyLoss[]
}

/** Opens every note with the key of its time. */
export function readEvidence(evidence: Evidence): Signed | LogFault {
  const { log, notes, outside = [], alsoTrusted = [], publicKey } = evidence
  const trustedKeys = [evidence.trustedKey, ...alsoTrusted].map(key => key.trim())
  if (trustedKeys.some(key => readPublicKey(key) === null)) {
    return { seq: null, why: 'the trusted key is no verifier key' }
  }
  const reigns = readReigns(log, notes, publicKey, trustedKeys[0] ?? '')
  if ('why' in reigns) return reigns
  const trusted = trustedReigns(reigns, trustedKeys)
  if ('why' in trusted) return trusted

  const restores: Restore[] = []
  const heads: HeadClaim[] = []
  let cut: ChainHead | null = null
  let last: Signed['last'] = null
  let checkpoints = 0
  const take = ({ kind, head, timeMs, isTrusted }: Opened, from: string, gap: Gap | null = null): void => {
    heads.push({ head, from: `the ${from} of ${new Date(timeMs).toISOString()}`, gap })
    if (kind === 'checkpoint') checkpoints += 1
    else if (kind === 'cut' && head.seq > (cut?.seq ?? 0)) cut = head
    // Anybody can make a key and call it an earlier one: only what the trusted key has signed later vouches for those.
    const counts = kind === 'checkpoint' && isTrusted && gap === null
    if (counts && head.seq >= (last?.seq ?? 0)) last = { seq: head.seq, timeMs }
  }

  for (const stored of notes) {
    const { kind, seq, timeMs, note } = stored
    if (kind === 'key' || kind === 'lost-key') continue
    if (kind === 'restore') {
      const restore = readRestore(stored, log, reignAt(reigns, seq).key)
      if (restore === null) return { seq, why: "the restore here is not signed by this log's key" }
      restores.push(restore)
      continue
    }
    const opened = open(note, reigns, trusted)
    if (opened?.kind !== kind || opened.log !== log || opened.head.seq !== seq || opened.timeMs !== timeMs) {
      return { seq, why: `the ${kind} here is not signed by this log's key` }
    }
    take(opened, kind)
  }
  for (const note of outside) {
    const opened = open(note, reigns, trusted)
    const restore = restoreAfter(note, restores, reigns.all)
    if (opened !== null && opened.log === log) {
      take(opened, `${opened.kind} from outside`, restore?.gap)
    } else if (restore !== null) {
      checkpoints += 1
      widen(restore.gap, readUnproved(note)?.head?.seq ?? 0)
    } else if (opened === null) {
      return { seq: null, why: "a checkpoint from outside is not signed by this log's key" }
    } else {
      return { seq: null, why: `a checkpoint from outside is of another log, ${opened.log}` }
    }
  }
  const kinds: readonly NoteKind[] = notedKinds
  const noted = new Map(notes.filter(({ kind }) => kinds.includes(kind)).map(note => [note.seq, note]))
  const { losses } = reigns
  const follows = new Map([
    ...restores.map(({ gap, head }) => [gap.seq, head.hash] as const),
    ...losses.map(({ seq, head }) => [seq, head.hash] as const)
  ])
  return { heads, cut, last, checkpoints, noted, follows, gaps: restores.map(({ gap }) => gap), losses }
}

/** Makes a gap as long as a checkpoint says: its events up to there are missing. */
export function widen(gap: Gap, seq: number): void {
  gap.toSeq = Math.max(gap.toSeq ?? 0, seq)
}

type Opened = Statement & { head: ChainHead; isTrusted: boolean }

/** Opens a note with the key of its place in the log, and tells whether that key is trusted there. */
function open(note: string, reigns: Reigns, trusted: number[]): Opened | null {
  const { all } = reigns
  const isTrusted = (index: number): boolean => index >= (trusted[all[index]?.segment ?? 0] ?? 0)
  const unproved = readUnproved(note)
  const seq = unproved?.head?.seq ?? 0
  // A cut is signed long after the events it removes, so by a later key; but never by one before the trusted key.
  const index =
    unproved?.kind === 'cut'
      ? all.findIndex(({ key }, i) => isTrusted(i) && openNote(note, key) !== null)
      : all.indexOf(reignAt(reigns, seq))
  const said = readSigned(note, all[index]?.key ?? '')
  return said?.head === undefined ? null : { ...said, head: said.head, isTrusted: isTrusted(index) }
}

function reignAt({ all }: Reigns, seq: number): Reign {
  return all.findLast(({ fromSeq }) => seq >= fromSeq) as Reign
}
