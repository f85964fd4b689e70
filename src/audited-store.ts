import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Checkpointer } from './audit/checkpointer.ts'
import {
  type AuditKeys,
  finishRotation,
  type KeyPlaces,
  openAuditKeys,
  prepareRotation,
  signingKeyFile
} from './audit/key-files.ts'
import type { Signer } from './audit/note.ts'
import { type Subject, toAuditEvent } from './audit/ocsf.ts'
import { prune } from './audit/prune.ts'
import { readUnproved, writeHead, writeKeyChange } from './audit/statements.ts'
import type { StoredNote } from './domain/audit-chain.ts'
import type { Clock } from './domain/clock.ts'
import { type AuditEvents, auditEventsIn } from './store/audit-events.ts'
import { auditNotesIn } from './store/audit-notes.ts'
import { writeIf } from './store/engine.ts'
import { prunableLog } from './store/prunable-log.ts'
import type { Store } from './store/store.ts'

export interface AuditedOptions {
  store: Store
  places: KeyPlaces
  clock: Clock
  /** A checkpoint was signed; the file beside the data has it already. */
  onCheckpoint?(note: StoredNote): void
  /** It could not be signed or written. */
  onTrouble(error: unknown): void
}

/** Who works on the log itself, in which call. */
export type Worker = Required<Pick<Subject, 'actor' | 'requestId'>>

/** The audit log of a store with its keys: for the gateway and for commands, which add to the same chain. */
export interface AuditedStore {
  readonly keys: AuditKeys
  /** The log's table. What is appended through it counts for the next checkpoint. */
  readonly events: AuditEvents
  readonly checkpointer: Checkpointer
  /** Removes what is older; see `prune`. */
  prune(beforeMs: number, worker: Worker): ReturnType<typeof prune>
  /** Another key signs from now on. Gives its public half. */
  rotate(worker: Worker): Promise<string>
}

/** The last checkpoint: to be copied to where nobody who owns the data folder can change it. */
export const checkpointFileName = 'audit-checkpoint.txt'
export const publicKeyFileName = 'audit-public-key.txt'

/** @throws AuditKeyError, StoreError */
export async function openAudited({ store, places, clock, ...told }: AuditedOptions): Promise<AuditedStore> {
  const table = auditEventsIn(store)
  const notes = auditNotesIn(store)
  const log = await notes.logName()
  const open = async (): Promise<AuditKeys> => {
    const keys = await openAuditKeys(places, await notes.keys())
    await publishFile(places.dataDir, publicKeyFileName, `${keys.signer.publicKey}\n`).catch(told.onTrouble)
    return keys
  }
  let keys = await open()
  await store.engine.write([notes.remember(keys.remembered)])
  // Somebody else may have been the first.
  keys = await open()

  const checkpointer = new Checkpointer({
    log,
    signer: keys.signer,
    async head() {
      const [rows] = await store.engine.write([table.headQuery()])
      return table.toHead(rows ?? [])
    },
    write: (note, publicKey) => writeIf(store.engine, [notes.demandPublicKey(publicKey), notes.add(note)]),
    async reload() {
      keys = await open()
      return keys.signer
    },
    async publish(note) {
      await publishFile(places.dataDir, checkpointFileName, note.note)
      told.onCheckpoint?.(note)
    },
    onTrouble: told.onTrouble,
    clock
  })
  const events: AuditEvents = {
    ...table,
    append(event) {
      checkpointer.noticed()
      return table.append(event)
    }
  }

  return {
    get keys() {
      return keys
    },
    events,
    checkpointer,
    prune: (beforeMs, worker) =>
      prune(
        { log, signer: keys.signer, store: prunableLog(store, events) },
        { ...worker, beforeMs, nowMs: clock.now() }
      ),

    async rotate(worker) {
      const before = keys.signer
      const after = await prepareRotation(places)
      const nowMs = clock.now()
      const note = before.sign(writeKeyChange(log, before.publicKey, after.publicKey, nowMs))
      const about = { tenantId: null, keyId: null, address: null, resources: [], ...worker }
      const subject: Subject = { action: 'rotateAuditKey', method: 'PUT', ...about }
      const written = await writeIf(store.engine, [
        notes.replacePublicKey(before.publicKey, after.publicKey),
        events.append(toAuditEvent(subject, { outcome: 'done', note }, nowMs)),
        notes.addHere({ kind: 'key', timeMs: nowMs, note }),
        ...(await cutSignedBy(after, nowMs))
      ])
      if (!written) throw new Error('another key signs the audit log by now')
      await finishRotation(signingKeyFile(places), after.publicKey)
      await checkpointer.sign()
      return after.publicKey
    }
  }

  /** Where the log is cut is signed anew: who trusts the new key alone can prove it. */
  async function cutSignedBy(signer: Signer, timeMs: number) {
    const last = (await notes.list()).findLast(({ kind }) => kind === 'cut')
    const head = last === undefined ? undefined : readUnproved(last.note)?.head
    if (head === undefined) return []
    return [notes.add({ kind: 'cut', seq: head.seq, timeMs, note: signer.sign(writeHead('cut', log, head, timeMs)) })]
  }
}

/** Replaced whole: who reads it meanwhile has the one before. */
async function publishFile(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, `.${name}.${process.pid}`)
  await writeFile(draft, text, { mode: 0o644 })
  await rename(draft, join(folder, name))
}
