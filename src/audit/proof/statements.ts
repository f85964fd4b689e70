import type { ChainHead, NoteKind } from '../../domain/audit/audit-chain.ts'

/** Statement of a signed note about a log, with its time. */
export interface Statement {
  kind: NoteKind
  /** The log that it is about. */
  log: string
  timeMs: number
  /** The place where the log stood, was cut, or goes on; absent for `key`. */
  head?: ChainHead
  /** The keys before and after, for `key` and `lost-key`. */
  keys?: { before: string; after: string }
  /** The operator, for `lost-key` and `restore`. */
  by?: string
  /** The last event that the newer state had too, in a note of `restore`. */
  keptSeq?: number
  /** The newest known checkpoint of the state that `restore` replaced; null when none is known. */
  superseded?: Superseded | null
}

/** The checkpoint of a state that was replaced by an older one. */
export interface Superseded {
  /** Another log when the store was another one. */
  log: string
  head: ChainHead
  timeMs: number
  /** The verifier key that has signed it; null when that is not known. */
  publicKey: string | null
}

/** A checkpoint has the lines of C2SP's tlog-checkpoint, with the head of a chain instead of a tree's root. */
export function writeHead(kind: 'checkpoint' | 'cut', log: string, { seq, hash }: ChainHead, timeMs: number): string {
  return lines(originOf(kind, log), String(seq), toBase64(hash), timeLine(timeMs))
}

/** States that another key signs from here on; the old key signs it. */
export function writeKeyChange(log: string, before: string, after: string, timeMs: number): string {
  return lines(originOf('key', log), before, after, timeLine(timeMs))
}

/** States that the key before is lost, and another one signs what follows this place; the new key signs it. */
export function writeLostKey(
  log: string,
  { before, after, head, by }: { before: string; after: string; head: ChainHead; by: string },
  timeMs: number
): string {
  const at = `at ${head.seq} ${toBase64(head.hash)}`
  return lines(originOf('lost-key', log), before, after, timeLine(timeMs), byLine(by), at)
}

/** States that the log goes on from an older state. */
export function writeRestore(
  log: string,
  { head, keptSeq, by, superseded }: { head: ChainHead; keptSeq: number; by: string; superseded: Superseded | null },
  timeMs: number
): string {
  const { seq, hash } = head
  const lost =
    superseded === null
      ? 'superseded -'
      : [
          'superseded',
          superseded.log,
          superseded.head.seq,
          toBase64(superseded.head.hash),
          new Date(superseded.timeMs).toISOString(),
          superseded.publicKey ?? '-'
        ].join(' ')
  return lines(
    originOf('restore', log),
    String(seq),
    toBase64(hash),
    timeLine(timeMs),
    byLine(by),
    `kept ${keptSeq}`,
    lost
  )
}

/** Null when the text is none of ours. */
export function readStatement(text: string): Statement | null {
  const [origin = '', first = '', second = '', time = '', ...rest] = text.split('\n')
  const [, log, kind = 'checkpoint'] =
    /^(livegate\.audit\/[0-9a-f]+)(?:\/(cut|key|lost-key|restore))?$/.exec(origin) ?? []
  const timeMs = Date.parse(/^time (\S+)$/.exec(time)?.[1] ?? '')
  const more = readMore(kind as NoteKind, rest.join('\n'))
  if (log === undefined || Number.isNaN(timeMs) || more === null) return null
  const said = { kind: kind as NoteKind, log, timeMs, ...more }
  if (kind === 'key' || kind === 'lost-key') return { ...said, keys: { before: first, after: second } }
  const head = readHead(first, second)
  return head === null ? null : { ...said, head }
}

/** Reads the lines after the time, which two kinds have. Null when they do not fit the kind. */
function readMore(kind: NoteKind, text: string): Partial<Statement> | null {
  if (kind === 'lost-key') {
    const [, by, seq = '', hash = ''] = /^by (.+)\nat (\S+) (\S+)\n$/.exec(text) ?? []
    const head = readHead(seq, hash)
    return by === undefined || head === null ? null : { by, head }
  }
  if (kind === 'restore') {
    const [, by, kept, lost = ''] = /^by (.+)\nkept (\d{1,15})\nsuperseded (.+)\n$/.exec(text) ?? []
    const superseded = lost === '-' ? null : readSuperseded(lost)
    return by === undefined || superseded === undefined ? null : { by, keptSeq: Number(kept), superseded }
  }
  return text === '' ? {} : null
}

function readSuperseded(text: string): Superseded | undefined {
  const [log = '', seq = '', hash = '', time = '', key = '', ...rest] = text.split(' ')
  const head = readHead(seq, hash)
  const timeMs = Date.parse(time)
  const reads = /^livegate\.audit\/[0-9a-f]+$/.test(log) && key !== '' && rest.length === 0
  if (!reads || head === null || Number.isNaN(timeMs)) return undefined
  return { log, head, timeMs, publicKey: key === '-' ? null : key }
}

function readHead(seq: string, base64: string): ChainHead | null {
  const hash = Buffer.from(base64, 'base64').toString('hex')
  return /^\d{1,15}$/.test(seq) && hash.length === 64 ? { seq: Number(seq), hash } : null
}

/** Reads a note without looking at its signature. */
export function readUnproved(note: string): Statement | null {
  return readStatement(note.slice(0, note.lastIndexOf('\n\n') + 1))
}

function originOf(kind: NoteKind, log: string): string {
  return kind === 'checkpoint' ? log : `${log}/${kind}`
}

function toBase64(hash: string): string {
  return Buffer.from(hash, 'hex').toString('base64')
}

function timeLine(timeMs: number): string {
  return `time ${new Date(timeMs).toISOString()}`
}

/** A user's name may hold line ends, which would forge further lines. */
function byLine(name: string): string {
  return `by ${name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?') || '?'}`
}

function lines(...all: string[]): string {
  return all.map(line => `${line}\n`).join('')
}
