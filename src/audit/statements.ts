import type { ChainHead, NoteKind } from '../domain/audit-chain.ts'

/** What a signed note says of a log, and when. */
export interface Statement {
  kind: NoteKind
  /** The log that it is about. */
  log: string
  timeMs: number
  /** Where the log stood, or was cut; absent for `key`. */
  head?: ChainHead
  /** The keys before and after, for `key`. */
  keys?: { before: string; after: string }
}

/** A checkpoint has the lines of C2SP's tlog-checkpoint, with the head of a chain instead of a tree's root. */
export function writeHead(kind: 'checkpoint' | 'cut', log: string, { seq, hash }: ChainHead, timeMs: number): string {
  return lines(originOf(kind, log), String(seq), Buffer.from(hash, 'hex').toString('base64'), timeLine(timeMs))
}

/** That another key signs from here on; signed by the one that did so far. */
export function writeKeyChange(log: string, before: string, after: string, timeMs: number): string {
  return lines(originOf('key', log), before, after, timeLine(timeMs))
}

/** Null when the text is none of ours. */
export function readStatement(text: string): Statement | null {
  const [origin = '', first = '', second = '', time = '', ...rest] = text.split('\n')
  const [, log, kind = 'checkpoint'] = /^(livegate\.audit\/[0-9a-f]+)(?:\/(cut|key))?$/.exec(origin) ?? []
  const timeMs = Date.parse(/^time (\S+)$/.exec(time)?.[1] ?? '')
  if (log === undefined || Number.isNaN(timeMs) || rest.join('') !== '') return null
  const said = { kind: kind as NoteKind, log, timeMs }
  if (kind === 'key') return { ...said, keys: { before: first, after: second } }
  const hash = Buffer.from(second, 'base64').toString('hex')
  if (!/^\d{1,15}$/.test(first) || hash.length !== 64) return null
  return { ...said, head: { seq: Number(first), hash } }
}

/** What a note says, whoever has signed it. */
export function readUnproved(note: string): Statement | null {
  return readStatement(note.slice(0, note.lastIndexOf('\n\n') + 1))
}

function originOf(kind: NoteKind, log: string): string {
  return kind === 'checkpoint' ? log : `${log}/${kind}`
}

function timeLine(timeMs: number): string {
  return `time ${new Date(timeMs).toISOString()}`
}

function lines(...all: string[]): string {
  return all.map(line => `${line}\n`).join('')
}
