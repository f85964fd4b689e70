import { hash } from 'node:crypto'

/** Stands for the hash before the first event of a log. */
export const noHash = '0'.repeat(64)

/** The link of the chain: SHA-256 in hex of the hash before, as its 64 hex characters, and the event's JSON text as stored. */
export function chainHash(prevHash: string, event: string): string {
  return hash('sha256', prevHash + event, 'hex')
}

/** An event as it is stored: its place, its link, its text, and the columns beside it by which it is found. */
export interface ChainedEvent {
  readonly seq: number
  readonly prevHash: string
  readonly hash: string
  /** The JSON text. */
  readonly event: string
  readonly columns: {
    readonly time: number
    readonly tenant_id: string | null
    readonly action: string
    readonly outcome: string
    readonly request_id: string
  }
}

/** How far the log goes: how many events it has had, and the hash of the last. */
export interface ChainHead {
  readonly seq: number
  readonly hash: string
}

/**
 * Kinds of signed statements about the log: `checkpoint`, where it stood; `cut`, up to where events were removed on purpose;
 * `key`, that another key signs from there on; `lost-key`, the same when the key before was lost and could not say so; `restore`,
 * that an older state of the log was put back and goes on from there.
 */
export type NoteKind = 'checkpoint' | 'cut' | 'key' | 'lost-key' | 'restore'

/** The kinds whose event carries the note, and which are kept when the log is cut. */
export const notedKinds = ['key', 'lost-key', 'restore'] as const satisfies NoteKind[]

/** A signed statement as it is stored. */
export interface StoredNote {
  readonly kind: NoteKind
  readonly seq: number
  readonly timeMs: number
  /** C2SP signed-note text. */
  readonly note: string
}
