import { keepSuperseded, publicKeyFileName } from '../audit/copies.ts'
import { AuditKeyError, type KeyPlaces, takeKeys } from '../audit/keys/key-files.ts'
import { logChange, type Worker } from '../audit/ocsf.ts'
import type { Signer } from '../audit/proof/note.ts'
import { readUnproved, writeHead, writeLostKey } from '../audit/proof/statements.ts'
import { type Statement, writeIf } from '../store/engine/engine.ts'
import type { Store } from '../store/store.ts'
import { auditEventsIn } from '../store/tables/audit/audit-events.ts'
import { type AuditNotes, auditNotesIn } from '../store/tables/audit/audit-notes.ts'
import { upstreamUseIn } from '../store/tables/upstream-use.ts'

/** The keys that were replaced. */
export interface KeysReplaced {
  /** The public halves of the signing key before and after; null when it was not lost. */
  signing: { before: string; after: string } | null
  /** Whether the key of the fingerprints was lost. */
  fingerprint: boolean
}

/**
 * Puts new keys in the place of lost ones: those that lie where the lost ones were or, where none do, such as are made now. The new
 * signing key says itself that the one before is lost, so both public keys are needed to prove the log across it.
 * @throws AuditKeyError when no key is lost, or no new one can be had; StoreError
 */
export async function replaceLostKeys(
  store: Store,
  places: KeyPlaces,
  worker: Worker,
  nowMs: number
): Promise<KeysReplaced> {
  const notes = auditNotesIn(store)
  const events = auditEventsIn(store)
  const log = await notes.logName()
  const before = await notes.keys()
  if (before.publicKey === null) throw new AuditKeyError('this store has no keys yet: the first change makes them')
  const { signer, remembered: after } = await takeKeys(places, before)
  const fingerprint = before.fingerprintCheck !== after.fingerprintCheck
  const signing = before.publicKey === after.publicKey ? null : { before: before.publicKey, after: after.publicKey }
  if (signing === null && !fingerprint)
    throw new AuditKeyError('no key is lost: `audit rotate-key` changes one that is there')

  if (signing !== null) await keepSuperseded(places.dataDir, publicKeyFileName, nowMs)
  const head = await events.head()
  const eventOf = (action: string, note?: string): Statement =>
    events.append(logChange({ action, method: 'PUT', worker, note }, nowMs))
  const statements: Statement[] = [events.demandHead(head)]
  if (signing !== null) {
    const note = signer.sign(writeLostKey(log, { ...signing, head, by: worker.actor.uid }, nowMs))
    statements.push(
      notes.replacePublicKey(signing.before, signing.after),
      eventOf('replaceLostAuditKey', note),
      notes.addHere({ kind: 'lost-key', timeMs: nowMs, note }),
      ...(await cutSignedBy(notes, log, signer, nowMs))
    )
  }
  if (fingerprint) {
    // The store knows upstream accounts by fingerprints, which nobody can make again without the lost key.
    const forget = upstreamUseIn(store).forgetAccounts()
    statements.push(notes.replaceFingerprint(after.fingerprintCheck), forget, eventOf('replaceLostFingerprintKey'))
  }
  if (!(await writeIf(store.engine, statements))) {
    throw new AuditKeyError('another process writes into the audit log: try again without it')
  }
  return { signing, fingerprint }
}

/** Signs the place where the log is cut once more, so that the new key alone can prove it. */
export async function cutSignedBy(
  notes: AuditNotes,
  log: string,
  signer: Signer,
  timeMs: number
): Promise<Statement[]> {
  const last = (await notes.ofKind('cut')).at(-1)
  const head = last === undefined ? undefined : readUnproved(last.note)?.head
  if (head === undefined) return []
  return [notes.add({ kind: 'cut', seq: head.seq, timeMs, note: signer.sign(writeHead('cut', log, head, timeMs)) })]
}
