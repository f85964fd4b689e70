import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpointFileName, publicKeyFileName, readOwnFile } from '../audit/copies.ts'
import { openNote } from '../audit/proof/note.ts'
import { readUnproved, type Superseded } from '../audit/proof/statements.ts'
import { nameOfHome, type StoreHome } from '../domain/store-home.ts'
import { isAtHome } from '../store/homes.ts'
import type { Store } from '../store/store.ts'
import { auditEventsIn } from '../store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../store/tables/audit/audit-notes.ts'

/** The last checkpoint vouches for more than the store has, so keys that were revoked since would work again. */
export class OlderStoreError extends Error {}

/** A checkpoint beside the store. */
export interface Checkpoint extends Superseded {
  file: string
}

/** A checkpoint that vouches for more than the store has, and how the two differ in words. */
export interface Newer {
  checkpoint: Checkpoint
  why: string
}

/** Reads the checkpoint in the data folder. Null when there is none, or none that can be read: `onTrouble` is told of that. */
export async function readCheckpoint(
  dataDir: string,
  onTrouble: (error: unknown) => void = () => {}
): Promise<Checkpoint | null> {
  const file = join(dataDir, checkpointFileName)
  try {
    const note = await readOwnFile(file)
    const said = readUnproved(note)
    if (said?.kind !== 'checkpoint' || said.head === undefined)
      throw new Error(`${file} is no checkpoint: the store cannot be compared with it`)
    // The store may be from before a rotation of the key: the key file beside the checkpoint is of its time.
    const beside = await readOwnFile(join(dataDir, publicKeyFileName)).catch(() => '')
    const publicKey = openNote(note, beside) === null ? null : beside.trim()
    return { file, log: said.log, head: said.head, timeMs: said.timeMs, publicKey }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') onTrouble(error)
    return null
  }
}

/** Null when the store has all that the checkpoint vouches for, or has on record that it was put back over it. */
export async function newerThan(store: Store, checkpoint: Checkpoint | null): Promise<Newer | null> {
  // A checkpoint of an empty log vouches for nothing.
  if (checkpoint === null || checkpoint.head.seq === 0) return null
  const { file, log, head, timeMs } = checkpoint
  const notes = auditNotesIn(store)
  const restores = await notes.ofKind('restore')
  const isAccepted = restores.some(({ note }) => {
    const superseded = readUnproved(note)?.superseded
    return superseded?.log === log && superseded.head.hash === head.hash
  })
  if (isAccepted) return null

  const events = auditEventsIn(store)
  const { seq } = await events.head()
  const signed = `it has ${seq} events, and ${head.seq} were signed at ${new Date(timeMs).toISOString()}`
  if ((await notes.logName()) !== log) {
    return { checkpoint, why: `the store is another one than ${file} is about (${signed})` }
  }
  if (seq < head.seq) return { checkpoint, why: `the store is older than ${file} (${signed})` }
  const hash = await events.hashAt(head.seq)
  const isCut = hash === null && ((await notes.last('cut'))?.seq ?? 0) >= head.seq
  if (isCut || hash === head.hash) return null
  return {
    checkpoint,
    why: `the store has another history than ${file}: its event ${head.seq} is not the one that was signed`
  }
}

/**
 * Refuses a store when the checkpoint beside it vouches for more. Gives that newer checkpoint when it is the accepted one; null when
 * nothing is newer.
 * @throws OlderStoreError
 */
export async function demandNewest(
  store: Store,
  dataDir: string,
  acceptedHash: string | undefined,
  onTrouble?: (error: unknown) => void
): Promise<Checkpoint | null> {
  // The checkpoint is read before the store: one that was written in between would seem to vouch for missing events.
  const newer = await newerThan(store, await readCheckpoint(dataDir, onTrouble))
  if (newer !== null && newer.checkpoint.head.hash !== acceptedHash) throw refusalOf(newer)
  return newer?.checkpoint ?? null
}

/**
 * Refuses to go on when a checkpoint says that there was a store, and there is none: an empty one would be made.
 * @throws OlderStoreError
 */
export async function demandStore(home: StoreHome, dataDir: string, acceptedHash?: string): Promise<void> {
  const checkpoint = await readCheckpoint(dataDir)
  const why = checkpoint && (await whyMissing(home, checkpoint))
  if (checkpoint !== null && why !== null && checkpoint.head.hash !== acceptedHash) throw refusalOf({ checkpoint, why })
}

/** Says that there is no store, although the checkpoint vouches for one; null when there is. */
export async function whyMissing(home: StoreHome, { file, head }: Checkpoint): Promise<string | null> {
  if (head.seq === 0 || !(await isMissing(home))) return null
  return `there is no store at ${nameOfHome(home)}, and ${file} vouches for one with ${head.seq} events`
}

async function isMissing(home: StoreHome): Promise<boolean> {
  if (home.kind === 'postgres') return !(await isAtHome(home))
  // A file that cannot be looked at may be one.
  return stat(home.file).then(
    ({ size }) => size === 0,
    error => error.code === 'ENOENT'
  )
}

/** The error that says why, and what to do about it. */
export function refusalOf({ checkpoint, why }: Newer): OlderStoreError {
  return new OlderStoreError(`${why}: ${remedy(checkpoint)}`)
}

function remedy({ head }: Checkpoint): string {
  return (
    'put the newer store back; or, when it is lost, accept this one for once, in which keys that were revoked since work again: ' +
    `livegate store accept-older ${head.hash}`
  )
}
