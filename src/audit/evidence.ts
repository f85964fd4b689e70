import type { ChainHead, StoredNote } from '../domain/audit-chain.ts'
import { openNote, readPublicKey } from './note.ts'
import { readStatement, readUnproved, type Statement } from './statements.ts'

/** What is wrong, with the first event that shows it. */
export interface Finding {
  seq: number | null
  why: string
  /** Set when nobody has signed it yet: a checkpoint that is just being written can make it good. */
  isUnsigned?: true
}

export interface Evidence {
  /** The log's own name; notes about another one are none of its. */
  log: string
  /** What the store holds, in the order of the log. */
  notes: readonly StoredNote[]
  /** Copies of checkpoints from other places. */
  outside?: readonly string[]
  /** The key that signs by what the store says. */
  publicKey: string | null
  /** A trusted copy of a key that signs or has signed. */
  trustedKey: string
}

/** What the signatures say of a log. */
export interface Signed {
  /** Where it stood, and who says so. */
  heads: { head: ChainHead; from: string }[]
  /** Where it was cut last. */
  cut: ChainHead | null
  /** The last checkpoint that counts. */
  last: { seq: number; timeMs: number } | null
  checkpoints: number
  /** The note of each change of the signing key, by the event that must carry it. */
  keyChanges: ReadonlyMap<number, string>
}

/** A key, and from where on it signs. */
interface Reign {
  key: string
  fromSeq: number
}

/** Opens every note with the key of its time. */
export function readEvidence(evidence: Evidence): Signed | Finding {
  const { log, notes, outside = [] } = evidence
  const trustedKey = evidence.trustedKey.trim()
  if (readPublicKey(trustedKey) === null) return { seq: null, why: 'the trusted key is no verifier key' }
  const reigns = readReigns({ ...evidence, trustedKey })
  if ('why' in reigns) return reigns
  const trusted = reigns.findIndex(({ key }) => key === trustedKey)
  if (trusted === -1) return { seq: null, why: 'the log is signed by another key than the trusted one' }

  const heads: Signed['heads'] = []
  let cut: ChainHead | null = null
  let last: Signed['last'] = null
  let checkpoints = 0
  const take = ({ kind, head, timeMs, index }: Opened, from: string): void => {
    heads.push({ head, from: `the ${from} of ${new Date(timeMs).toISOString()}` })
    if (kind === 'checkpoint') checkpoints += 1
    else if (head.seq > (cut?.seq ?? 0)) cut = head
    // Keys before the trusted one are vouched for by what it has signed later, not by themselves: anybody can make such a key.
    if (kind === 'checkpoint' && index >= trusted && head.seq >= (last?.seq ?? 0)) last = { seq: head.seq, timeMs }
  }

  for (const { kind, seq, timeMs, note } of notes) {
    if (kind === 'key') continue
    const opened = open(note, reigns, trusted)
    if (opened?.kind !== kind || opened.log !== log || opened.head.seq !== seq || opened.timeMs !== timeMs) {
      return { seq, why: `the ${kind} here is not signed by this log's key` }
    }
    take(opened, kind)
  }
  for (const note of outside) {
    const opened = open(note, reigns, trusted)
    if (opened === null) return { seq: null, why: "a checkpoint from outside is not signed by this log's key" }
    if (opened.log !== log) return { seq: null, why: `a checkpoint from outside is of another log, ${opened.log}` }
    take(opened, `${opened.kind} from outside`)
  }
  const keyChanges = new Map(notes.filter(({ kind }) => kind === 'key').map(({ seq, note }) => [seq, note]))
  return { heads, cut, last, checkpoints, keyChanges }
}

/** Each change is signed by the key before. The first one says itself which that was: the trusted key shows whether it was. */
function readReigns({ log, notes, publicKey, trustedKey }: Evidence): Reign[] | Finding {
  const changes = notes.filter(({ kind }) => kind === 'key')
  const [first] = changes
  const firstKey = first === undefined ? (publicKey ?? trustedKey) : readUnproved(first.note)?.keys?.before
  const reigns: Reign[] = [{ key: firstKey ?? '', fromSeq: 0 }]
  for (const { note, seq, timeMs } of changes) {
    const before = reigns.at(-1)?.key ?? ''
    const said = readSigned(note, before)
    if (said?.keys?.before !== before || said.log !== log || said.timeMs !== timeMs || seq < 1) {
      return { seq, why: 'the change of the signing key is not signed by the key before' }
    }
    reigns.push({ key: said.keys.after, fromSeq: seq })
  }
  if (notes.length > 0 && reigns.at(-1)?.key !== publicKey) {
    return { seq: null, why: 'the key that signs by what the store says is not the one that signed last' }
  }
  return reigns
}

type Opened = Statement & { head: ChainHead; index: number }

/** What a note says of the log, and whose reign it was. */
function open(note: string, reigns: Reign[], trusted: number): Opened | null {
  const unproved = readUnproved(note)
  const seq = unproved?.head?.seq ?? 0
  // A cut is signed long after what it cuts, by whoever signs then; but never before the trusted key.
  const index =
    unproved?.kind === 'cut'
      ? reigns.findIndex(({ key }, i) => i >= trusted && openNote(note, key) !== null)
      : reigns.findLastIndex(({ fromSeq }) => seq >= fromSeq)
  const said = readSigned(note, reigns[index]?.key ?? '')
  return said?.head === undefined ? null : { ...said, head: said.head, index }
}

function readSigned(note: string, key: string): Statement | null {
  const text = openNote(note, key)
  return text === null ? null : readStatement(text)
}
