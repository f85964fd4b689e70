import { type ChainedEvent, type ChainHead, chainHash, type NoteKind, noHash } from '../../domain/audit/audit-chain.ts'
import type { Gap } from './gaps.ts'
import type { LogFault } from './log-fault.ts'
import type { KeyLoss } from './reigns.ts'
import { type Evidence, type HeadClaim, readEvidence, type Signed, widen } from './signed-claims.ts'

/** Facts that were proved. */
export interface Proof {
  /** Place where the log begins: 1, or after the last cut. */
  firstSeq: number
  lastSeq: number
  /** Up to here a signature vouches; what came after it is chained, and not signed yet. */
  signedSeq: number
  checkpoints: number
  /** Checkpoints from outside about events that were pruned since: there is nothing to compare them with. */
  beforeTheCut: number
  /** Events that are missing since an older state was put back. */
  gaps: Gap[]
  /** Signing keys that were lost and replaced. */
  losses: KeyLoss[]
}

/** Beyond these a tail without a signature is no accident: checkpoints come every 10 s and every 1,000 events. */
const maxUnsigned = 2_000
const maxUnsignedMs = 20_000

/**
 * Proves a log, event by event in order. The chain shows every change but one: that somebody has written all of it again. That
 * is what signatures are for, and copies of them in other places.
 */
export class LogVerifier {
  readonly #wrong: LogFault | null
  readonly #signed: Signed
  readonly #heads: HeadClaim[]
  #nextHead = 0
  #first: number | null = null
  #last: ChainHead | null
  /** The time since which events have come that no signature vouches for, and of the latest of them. */
  #unsigned: { sinceMs: number; untilMs: number } | null = null

  /** @param after where to begin, when the events before were proved */
  constructor(evidence: Evidence, after: ChainHead | null = null) {
    const read = readEvidence(evidence)
    this.#wrong = 'why' in read ? read : null
    this.#signed = 'why' in read ? nothingSigned : read
    this.#heads = this.#signed.heads
      .filter(({ head }) => head.seq > (after?.seq ?? 0))
      .sort((a, b) => a.head.seq - b.head.seq)
    this.#last = after
    if (after !== null) this.#first = after.seq
  }

  /** Gives what is wrong with the event at this place, if anything is. */
  next(event: ChainedEvent): LogFault | null {
    return this.#wrong ?? this.#check(event)
  }

  #check({ seq, prevHash, hash, event, columns }: ChainedEvent): LogFault | null {
    if (this.#last === null) {
      const wrong = this.#begin(seq, prevHash)
      if (wrong !== null) return wrong
    } else if (seq !== this.#last.seq + 1) {
      return { seq: this.#last.seq + 1, why: `missing: after event ${this.#last.seq} comes ${seq}` }
    } else if (prevHash !== this.#last.hash) {
      return { seq, why: 'does not follow the event before it' }
    }
    // Bytes instead of a text would have the same hash; but queries do not find them.
    if (typeof event !== 'string' || chainHash(prevHash, event) !== hash) {
      return { seq, why: 'changed: its hash is another' }
    }
    const said = readEvent(event)
    const differs = differingColumn(said, columns)
    if (differs !== null) return { seq, why: `${differs} beside the event is not what the event says` }
    const noted = this.#signed.noted.get(seq)
    const kind = carrying.get(said.api?.operation ?? '')
    if ((kind && said.unmapped?.note) !== noted?.note) {
      const what = (noted?.kind ?? kind) === 'restore' ? 'restore' : 'change of the signing key'
      return { seq, why: `is not the ${what} that is noted for it` }
    }
    if (noted !== undefined && (this.#signed.follows.get(seq) ?? prevHash) !== prevHash) {
      return { seq, why: 'does not follow what its note says that it follows' }
    }
    this.#last = { seq, hash }
    if (seq > (this.#signed.last?.seq ?? 0)) {
      this.#unsigned ??= { sinceMs: this.#signed.last?.timeMs ?? columns.time, untilMs: columns.time }
      this.#unsigned.untilMs = Math.max(this.#unsigned.untilMs, columns.time)
    }
    const denied = this.#compare({ seq, hash })
    return denied === null ? null : { seq, why: `is not what ${denied} vouches for` }
  }

  /** After the last event. */
  end(): LogFault | Proof {
    if (this.#wrong !== null) return this.#wrong
    const { cut, last, checkpoints, noted, gaps, losses } = this.#signed
    const lastSeq = this.#last?.seq ?? 0
    const missing = (this.#last ?? cut ?? { seq: 0 }).seq + 1
    const beyond = this.#heads.filter(({ head }) => head.seq > lastSeq)
    for (const { head, gap } of beyond) if (gap !== null) widen(gap, head.seq)
    const ahead = beyond.findLast(({ gap }) => gap === null)
    if (ahead !== undefined) {
      return { seq: missing, why: `missing: ${ahead.from} vouches for ${ahead.head.seq} events, ${lastSeq} are there` }
    }
    const change = [...noted.values()].find(({ seq }) => seq > lastSeq)
    if (change !== undefined) {
      const what = change.kind === 'restore' ? 'put an older state back' : 'changed the signing key'
      return { seq: missing, why: `missing: event ${change.seq} ${what}` }
    }

    const firstSeq = this.#first ?? 0
    const signedSeq = last?.seq ?? 0
    const unsignedSeq = Math.max(signedSeq + 1, firstSeq)
    const unsigned = lastSeq - unsignedSeq + 1
    if (lastSeq > 0 && last === null)
      return { seq: firstSeq, why: 'no checkpoint vouches for it, nor for any other event' }
    const { sinceMs, untilMs } = this.#unsigned ?? { sinceMs: 0, untilMs: 0 }
    if (unsigned > maxUnsigned || untilMs - sinceMs > maxUnsignedMs) {
      const why = `no checkpoint vouches for it, nor for the ${unsigned - 1} after it`
      return { seq: unsignedSeq, why, isUnsigned: true }
    }
    const beforeTheCut = this.#heads.filter(({ head }) => head.seq < firstSeq - 1).length
    return { firstSeq, lastSeq, signedSeq, checkpoints, beforeTheCut, gaps, losses }
  }

  /** The first event there is: the first of all, or the first after a cut that a signature vouches for. */
  #begin(seq: number, prevHash: string): LogFault | null {
    this.#first = seq
    const { cut } = this.#signed
    if (seq === 1) return prevHash === noHash ? null : { seq, why: 'is not the first event of a log' }
    if (cut === null) return { seq: 1, why: `missing: the log begins with event ${seq}, and no cut` }
    if (cut.seq < seq - 1) {
      return { seq: cut.seq + 1, why: `missing: the log was cut up to ${cut.seq}, and begins with event ${seq}` }
    }
    // A cut that is not finished has left some of what it vouches for: they are compared when they come.
    const denied = this.#compare({ seq: seq - 1, hash: prevHash })
    return denied === null ? null : { seq, why: `does not follow what ${denied} vouches for` }
  }

  /** Names the statement that another hash contradicts. */
  #compare({ seq, hash }: ChainHead): string | null {
    for (let at = this.#heads[this.#nextHead]; at !== undefined; at = this.#heads[this.#nextHead]) {
      if (at.head.seq > seq) break
      if (at.head.seq === seq && at.head.hash !== hash && !this.#isOfAGap(at)) return at.from
      this.#nextHead += 1
    }
    return null
  }

  /** True when a restore on record has taken away the events of this claim. */
  #isOfAGap({ gap, head }: HeadClaim): boolean {
    if (gap !== null) widen(gap, head.seq)
    return gap !== null
  }
}

const nothingSigned: Signed = {
  heads: [],
  cut: null,
  last: null,
  checkpoints: 0,
  noted: new Map(),
  follows: new Map(),
  gaps: [],
  losses: []
}

/** Operations whose events carry a note, with the kind of that note. */
const carrying: ReadonlyMap<string, NoteKind> = new Map([
  ['rotateAuditKey', 'key'],
  ['replaceLostAuditKey', 'lost-key'],
  ['acceptOlderStore', 'restore'],
  ['restoreStore', 'restore']
])

function differingColumn(
  { time, api, metadata, unmapped }: ReadEvent,
  columns: ChainedEvent['columns']
): string | null {
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
  unmapped?: { tenant_id?: string | null; outcome?: string; note?: string }
}

/** Takes any text: one that is no JSON is like an event that says nothing. */
function readEvent(text: string): ReadEvent {
  try {
    return (JSON.parse(text) ?? {}) as ReadEvent
  } catch {
    return {}
  }
}
