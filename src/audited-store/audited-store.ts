import { Checkpointer } from '../audit/checkpointer.ts'
import { checkpointFileName, keepSuperseded, publicKeyFileName, publishFile } from '../audit/copies.ts'
import {
  AuditKeyError,
  type AuditKeys,
  dropRotation,
  findAuditKeys,
  finishRotation,
  type KeyPlaces,
  openAuditKeys,
  prepareRotation,
  signingKeyFile
} from '../audit/keys/key-files.ts'
import { logChange, type Worker } from '../audit/ocsf.ts'
import type { LogFault } from '../audit/proof/log-fault.ts'
import { openNote } from '../audit/proof/note.ts'
import { lostKeys } from '../audit/proof/reigns.ts'
import { readStatement, type Superseded, writeKeyChange, writeRestore } from '../audit/proof/statements.ts'
import { LogVerifier } from '../audit/proof/verify.ts'
import { prune } from '../audit/prune.ts'
import type { StoredNote } from '../domain/audit/audit-chain.ts'
import { onlyReplica, type Replicas } from '../domain/replicas.ts'
import type { Clock } from '../domain/values/clock.ts'
import { writeIf } from '../store/engine/engine.ts'
import type { Store } from '../store/store.ts'
import { type AuditEvents, auditEventsIn } from '../store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../store/tables/audit/audit-notes.ts'
import { prunableLog } from '../store/tables/audit/prunable-log.ts'
import { cutSignedBy } from './key-changes.ts'
import { demandNewest } from './older-store.ts'

export interface AuditedOptions {
  store: Store
  places: KeyPlaces
  clock: Clock
  /** Another key signs from now on: another process has rotated it. */
  onKey?(publicKey: string): void
  /** A checkpoint was signed and written. */
  onCheckpoint?(note: StoredNote): void
  /** It could not be signed or written. */
  onTrouble(error: unknown): void
  /** The gateways that serve the store together: the leader signs. */
  replicas?: Pick<Replicas, 'leads'>
  /** Accepts, this once, a store that is older than the checkpoint beside it, which must end with this hash. */
  acceptOlder?: { hash: string; worker: Worker } | undefined
}

/** The audit log of a store with its keys: for the gateway and for commands, which add to the same chain. */
export interface AuditedStore {
  readonly keys: AuditKeys
  /** The log's table. What is appended through it counts for the next checkpoint. */
  readonly events: AuditEvents
  readonly checkpointer: Checkpointer
  /** Checks that both keys are still where the next start looks for them. @throws AuditKeyError, StoreError */
  findKeys(): Promise<void>
  /** Removes what is older; see `prune`. */
  prune(beforeMs: number, worker: Worker): ReturnType<typeof prune>
  /** Another key signs from now on. Gives its public half. */
  rotate(worker: Worker): Promise<string>
  /** Writes down that this store was put back from a backup, where no checkpoint says what was there before. */
  restored(worker: Worker): Promise<void>
  /** The newer checkpoint over which this store was accepted just now. */
  readonly accepted: Superseded | null
}

/** @throws AuditKeyError, StoreError; OlderStoreError when the checkpoint beside the store vouches for more than it has */
export async function openAudited({
  store,
  places,
  clock,
  acceptOlder,
  replicas = onlyReplica,
  ...told
}: AuditedOptions): Promise<AuditedStore> {
  const table = auditEventsIn(store)
  const notes = auditNotesIn(store)
  const accepted = await demandNewest(store, places.dataDir, acceptOlder?.hash, told.onTrouble)
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
    async holds({ seq, hash }) {
      const there = seq === 0 ? hash : await table.hashAt(seq)
      if (there !== null) return there === hash
      const cut = (await notes.list()).findLast(({ kind }) => kind === 'cut')
      const text = cut === undefined ? null : openNote(cut.note, (await open()).signer.publicKey)
      return text !== null && (readStatement(text)?.head?.seq ?? 0) >= seq
    },
    write: (note, publicKey) => writeIf(store.engine, [notes.demandPublicKey(publicKey), notes.add(note)]),
    async reload() {
      keys = await open()
      told.onKey?.(keys.signer.publicKey)
      return keys.signer
    },
    async publish(note) {
      told.onCheckpoint?.(note)
      await publishFile(places.dataDir, checkpointFileName, note.note)
    },
    onTrouble: told.onTrouble,
    leads: () => replicas.leads(),
    last: () => notes.newest('checkpoint'),
    clock
  })
  const events: AuditEvents = { ...table, append: checkpointer.counting(table.append) }

  if (accepted !== null && acceptOlder !== undefined) await putBack('acceptOlderStore', accepted, acceptOlder.worker)

  return {
    get keys() {
      return keys
    },
    accepted,
    restored: worker => putBack('restoreStore', null, worker),
    events,
    checkpointer,
    findKeys: async () => findAuditKeys(places, await notes.keys()),
    async prune(beforeMs, worker) {
      // Another process may have changed the key.
      keys = await open()
      const sign = (): Promise<void> => checkpointer.sign()
      const deps = { log, signer: keys.signer, store: prunableLog(store, events), prove, sign }
      return prune(deps, { ...worker, beforeMs, nowMs: clock.now() })
    },

    async rotate(worker) {
      const before = keys.signer
      const after = await prepareRotation(places)
      const nowMs = clock.now()
      const note = before.sign(writeKeyChange(log, before.publicKey, after.publicKey, nowMs))
      const written = await writeIf(store.engine, [
        notes.replacePublicKey(before.publicKey, after.publicKey),
        events.append(logChange({ action: 'rotateAuditKey', method: 'PUT', worker, note }, nowMs)),
        notes.addHere({ kind: 'key', timeMs: nowMs, note }),
        ...(await cutSignedBy(notes, log, after, nowMs))
      ])
      if (!written) {
        await dropRotation(places, after.publicKey)
        throw new AuditKeyError('another key signs the audit log by now')
      }
      await finishRotation(signingKeyFile(places), after.publicKey)
      await checkpointer.sign()
      return after.publicKey
    }
  }

  /** Writes down that the log goes on from an older state, and keeps the checkpoint of the newer one. */
  async function putBack(action: string, superseded: Superseded | null, worker: Worker): Promise<void> {
    const nowMs = clock.now()
    if (superseded !== null) await keepSuperseded(places.dataDir, checkpointFileName, nowMs)
    const { publicKey } = keys.signer
    const head = await table.head()
    // The older store may have an event of its own by now: the replacement of keys that were lost with the newer one.
    const keptSeq = superseded === null ? head.seq : await table.lastUntil(superseded.timeMs)
    const note = keys.signer.sign(writeRestore(log, { head, keptSeq, by: worker.actor.uid, superseded }, nowMs))
    const written = await writeIf(store.engine, [
      notes.demandPublicKey(publicKey),
      table.demandHead(head),
      events.append(logChange({ action, method: 'PUT', worker, note }, nowMs)),
      notes.addHere({ kind: 'restore', timeMs: nowMs, note })
    ])
    if (!written) throw new AuditKeyError('another process writes into the audit log: try again without it')
    await checkpointer.sign().catch(told.onTrouble)
  }

  /** Finds the first fault of the log up to there; null when there is none. */
  async function prove(upToSeq: number): Promise<LogFault | null> {
    const { publicKey } = keys.signer
    const isKnown = ({ kind, seq }: StoredNote): boolean => kind === 'key' || kind === 'lost-key' || seq <= upToSeq
    const known = (await notes.list()).filter(isKnown)
    const alsoTrusted = lostKeys(known)
    const verifier = new LogVerifier({ log, notes: known, publicKey, trustedKey: publicKey, alsoTrusted })
    for await (const some of table.walk({ upToSeq })) {
      for (const event of some) {
        const finding = verifier.next(event)
        if (finding !== null) return finding
      }
    }
    return null
  }
}
