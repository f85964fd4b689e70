import { setTimeout as sleep } from 'node:timers/promises'
import type { ChainHead, StoredNote } from '../domain/audit/audit-chain.ts'
import type { AuditEvent } from '../domain/audit/audit-event.ts'
import { AuditKeyError } from './keys/key-files.ts'
import { logChange, type Worker } from './ocsf.ts'
import type { LogFault } from './proof/log-fault.ts'
import type { Signer } from './proof/note.ts'
import { writeHead } from './proof/statements.ts'

export interface PruneDeps {
  /** The log's name. */
  log: string
  signer: Signer
  store: {
    lastCheckpointBefore(timeMs: number): Promise<ChainHead | null>
    recordCut(cut: StoredNote, publicKey: string, event: AuditEvent): Promise<boolean>
    cutAt(): Promise<number | null>
    removeEvents(upToSeq: number, atMost: number): Promise<number>
    removeNotes(beforeSeq: number): Promise<void>
  }
  /** Finds what is wrong with the log up to there: a cut must not hide what somebody has changed. */
  prove(upToSeq: number): Promise<LogFault | null>
  /** Signs how far the log goes. */
  sign(): Promise<void>
  /** Waits between two steps, so that other writers have their turn. */
  pauseMs?: number
}

const eventsAStep = 500

/** The part to be removed does not verify. */
export class NotProved extends Error {}

/**
 * Removes events that are older, up to a checkpoint. That they are removed is signed and on record first: the chain stays
 * provable across the cut, and what a crash has left of it is removed by the next one. Gives up to where the log is cut, or null.
 */
export async function prune(
  { log, signer, store, prove, sign, pauseMs = 20 }: PruneDeps,
  { beforeMs, nowMs, ...worker }: { beforeMs: number; nowMs: number } & Worker
): Promise<{ removed: number; cutAt: number | null }> {
  const head = await store.lastCheckpointBefore(beforeMs)
  const before = await store.cutAt()
  if (head !== null && head.seq > (before ?? 0)) {
    const wrong = await prove(head.seq)
    if (wrong !== null) {
      throw new NotProved(`nothing was removed: the audit log does not hold at event ${wrong.seq}: ${wrong.why}`)
    }
    const note = signer.sign(writeHead('cut', log, head, nowMs))
    const event = logChange({ action: 'pruneAudit', method: 'DELETE', worker, note }, nowMs)
    const written = await store.recordCut({ kind: 'cut', seq: head.seq, timeMs: nowMs, note }, signer.publicKey, event)
    if (!written) throw new AuditKeyError('another key signs the audit log by now')
    // The removal may take long, and the record of it must not seem to be nobody's meanwhile.
    await sign()
  }
  const cutAt = await store.cutAt()
  if (cutAt === null) return { removed: 0, cutAt }
  let removed = 0
  for (;;) {
    const step = await store.removeEvents(cutAt, eventsAStep)
    removed += step
    if (step < eventsAStep) break
    await sleep(pauseMs)
  }
  await store.removeNotes(cutAt)
  return { removed, cutAt }
}
