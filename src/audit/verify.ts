import { type ChainedEvent, type ChainHead, chainHash, noHash, type StoredNote } from '../domain/audit-chain.ts'
import { openNote, readPublicKey } from './note.ts'
import { readStatement, readUnproved, type Statement } from './statements.ts'

/** What is wrong, with the first event that shows it. */
export interface Finding {
  seq: number | null
  why: string
}

/** What was proved. */
export interface Proof {
  /** Where the log begins: 1, or after the last cut. */
  firstSeq: number
  lastSeq: number
  /** Up to here a signature vouches; what came after it is chained, and not signed yet. */
  signedSeq: number
  checkpoints: number
  /** Checkpoints from outside about events that were pruned since: there is nothing to compare them with. */
  beforeTheCut: number
}

export interface Evidence {
  /** The log's own name; notes about another one are none of its. */
  log: string
  /** What the store holds. */
  notes: readonly StoredNote[]
  /** Copies of checkpoints from other places. */
  outside?: readonly string[]
  /** The key that signs by what the store says. */
  publicKey: string | null
  /** A trusted copy of a key that signs or has signed. */
  trustedKey: string
}

/** Beyond these a tail without a signature is no accident: checkpoints come every 10 s and every 1,000 events. */
const maxUnsigned = 2_000
const maxUnsignedMs = 20_000

/**
 * Proves a log, event by event in order. The chain shows every change but one: that somebody has written all of it again. That
 * is what signatures are for, and copies of them in other places.
 */
export class LogVerifier {
  readonly #heads: { head: ChainHead; from: string }[]
  readonly #cut: ChainHead | null
  readonly #signed: { seq: number; timeMs: number } | null
  readonly #wrong: Finding | null
  readonly #checkpoints: number
  #nextHead = 0
  #first: number | null = null
  #last: ChainHead | null
  #lastTimeMs = 0

  /** @param after where to begin, when the events before were proved */
  constructor(evidence: Evidence, after: ChainHead | null = null) {
    const { statements, wrong, signed } = readEvidence(evidence)
    this.#wrong = wrong
    this.#signed = signed
    const cuts = statements.filter(({ kind }) => kind === 'cut')
    this.#cut = cuts.at(-1)?.head ?? null
    this.#heads = statements
      .flatMap(({ head, from }) => (head === undefined ? [] : [{ head, from }]))
      .filter(({ head }) => head.seq > (after?.seq ?? 0))
      .sort((a, b) => a.head.seq - b.head.seq)
    this.#checkpoints = statements.length - cuts.length
    this.#last = after
    if (after !== null) this.#first = after.seq
  }

  /** Gives what is wrong with the event at this place, if anything is. */
  next(event: ChainedEvent): Finding | null {
    return this.#wrong ?? this.#check(event)
  }

  #check({ seq, prevHash, hash, event, columns }: ChainedEvent): Finding | null {
    if (this.#last === null) {
      const wrong = this.#begin(seq, prevHash)
      if (wrong !== null) return wrong
    } else if (seq !== this.#last.seq + 1) {
      return { seq: this.#last.seq + 1, why: `missing: after event ${this.#last.seq} comes ${seq}` }
    } else if (prevHash !== this.#last.hash) {
      return { seq, why: 'does not follow the event before it' }
    }
    if (chainHash(prevHash, event) !== hash) return { seq, why: 'changed: its hash is another' }
    const differs = differingColumn(event, columns)
    if (differs !== null) return { seq, why: `${differs} beside the event is not what the event says` }
    this.#last = { seq, hash }
    this.#lastTimeMs = columns.time
    for (let at = this.#heads[this.#nextHead]; at !== undefined; at = this.#heads[this.#nextHead]) {
      if (at.head.seq > seq) break
      if (at.head.seq === seq && at.head.hash !== hash) return { seq, why: `is not what ${at.from} vouches for` }
      this.#nextHead += 1
    }
    return null
  }

  /** After the last event. */
  end(): Finding | Proof {
    if (this.#wrong !== null) return this.#wrong
    const lastSeq = this.#last?.seq ?? 0
    const ahead = this.#heads.find(({ head }) => head.seq > lastSeq)
    if (ahead !== undefined) {
      return {
        seq: lastSeq + 1,
        why: `missing: ${ahead.from} vouches for ${ahead.head.seq} events, ${lastSeq} are there`
      }
    }
    const signedSeq = this.#signed?.seq ?? 0
    const unsigned = lastSeq - signedSeq
    const lateMs = this.#lastTimeMs - (this.#signed?.timeMs ?? this.#lastTimeMs)
    if (unsigned > maxUnsigned || (unsigned > 0 && lateMs > maxUnsignedMs)) {
      return { seq: signedSeq + 1, why: `no checkpoint vouches for it, nor for the ${unsigned - 1} after it` }
    }
    const firstSeq = this.#first ?? 0
    const beforeTheCut = this.#heads.filter(({ head }) => head.seq < firstSeq - 1).length
    return { firstSeq, lastSeq, signedSeq, checkpoints: this.#checkpoints, beforeTheCut }
  }

  /** The first event there is: the first of all, or the first after a cut that a signature vouches for. */
  #begin(seq: number, prevHash: string): Finding | null {
    this.#first = seq
    const cut = this.#cut
    if (seq === 1) return prevHash === noHash ? null : { seq, why: 'is not the first event of a log' }
    if (cut === null || cut.seq < seq - 1)
      return { seq: 1, why: `missing: the log begins with event ${seq}, and no cut` }
    // A cut that is not finished has left some of what it vouches for: they are compared when they come.
    if (cut.seq === seq - 1 && prevHash !== cut.hash) return { seq, why: 'does not follow what was cut' }
    return null
  }
}

interface Read {
  statements: (Statement & { from: string })[]
  wrong: Finding | null
  signed: { seq: number; timeMs: number } | null
}

/** Opens every note with the key of its time. */
function readEvidence({ log, notes, outside = [], publicKey, trustedKey }: Evidence): Read {
  const failed = (seq: number | null, why: string): Read => ({ statements: [], wrong: { seq, why }, signed: null })
  if (readPublicKey(trustedKey) === null) return failed(null, 'the trusted key is no verifier key')

  // Which key signed up to where. Each change is signed by the one before.
  const keys: { key: string; fromSeq: number }[] = []
  for (const { note, seq } of notes.filter(({ kind }) => kind === 'key')) {
    // The first one says itself who signed before; whether it was so shows below.
    if (keys.length === 0) keys.push({ key: readUnproved(note)?.keys?.before ?? '', fromSeq: 0 })
    const text = openNote(note, keys.at(-1)?.key ?? '')
    const said = text === null ? null : readStatement(text)
    if (said?.keys === undefined || said.log !== log || said.keys.before !== keys.at(-1)?.key) {
      return failed(seq, 'the change of the signing key is not signed by the key before')
    }
    keys.push({ key: said.keys.after, fromSeq: seq })
  }
  if (keys.length === 0) keys.push({ key: publicKey ?? trustedKey, fromSeq: 0 })
  const trusted = keys.findIndex(({ key }) => key === trustedKey.trim())
  if (trusted === -1) return failed(null, 'the log is signed by another key than the trusted one')

  const statements: Read['statements'] = []
  let signed: Read['signed'] = null
  for (const { kind, seq, note } of notes) {
    if (kind === 'key') continue
    // A cut is signed long after what it cuts, by whoever signs then; but never before the trusted key.
    const index =
      kind === 'cut'
        ? keys.findIndex(({ key }, i) => i >= trusted && openNote(note, key) !== null)
        : keys.findLastIndex(({ fromSeq }) => seq >= fromSeq)
    const text = openNote(note, keys[index]?.key ?? '')
    const said = text === null ? null : readStatement(text)
    if (said?.head === undefined || said.kind !== kind || said.log !== log || said.head.seq !== seq) {
      return failed(seq, `the ${kind} here is not signed by this log's key`)
    }
    statements.push({ ...said, from: `the ${kind} of ${new Date(said.timeMs).toISOString()}` })
    // Keys before the trusted one are vouched for by what it has signed later, not by themselves.
    if (kind === 'checkpoint' && index >= trusted) signed = { seq, timeMs: said.timeMs }
  }
  for (const note of outside) {
    const text = keys.map(({ key }) => openNote(note, key)).find(opened => opened !== null)
    const said = text === undefined ? null : readStatement(text as string)
    if (said?.head === undefined) return failed(null, "a checkpoint from outside is not signed by this log's key")
    if (said.log !== log) return failed(null, `a checkpoint from outside is of another log, ${said.log}`)
    const { seq } = said.head
    statements.push({ ...said, from: `the checkpoint from outside of ${new Date(said.timeMs).toISOString()}` })
    if (said.kind === 'checkpoint' && seq > (signed?.seq ?? 0)) signed = { seq, timeMs: said.timeMs }
  }
  return { statements, wrong: null, signed }
}

function differingColumn(text: string, columns: ChainedEvent['columns']): string | null {
  const { time, api, metadata, unmapped } = readEvent(text)
  const said: ChainedEvent['columns'] = {
    time: time as number,
    tenant_id: unmapped?.tenant_id ?? null,
    action: api?.operation ?? '',
    outcome: unmapped?.outcome ?? '',
    request_id: metadata?.correlation_uid ?? ''
  }
  const differs = Object.entries(said).find(([name, value]) => columns[name as keyof typeof columns] !== value)
  return differs?.[0] ?? null
}

interface ReadEvent {
  time?: number
  api?: { operation?: string }
  metadata?: { correlation_uid?: string }
  unmapped?: { tenant_id?: string | null; outcome?: string }
}

/** Whatever was put there: a text that is no JSON is like an event that says nothing. */
function readEvent(text: string): ReadEvent {
  try {
    return (JSON.parse(text) ?? {}) as ReadEvent
  } catch {
    return {}
  }
}
