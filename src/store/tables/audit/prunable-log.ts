import type { ChainHead, StoredNote } from '../../../domain/audit/audit-chain.ts'
import type { AuditEvent } from '../../../domain/audit/audit-event.ts'
import { writeIf } from '../../engine/engine.ts'
import type { Store } from '../../store.ts'
import { type AuditEvents, auditEventsIn } from './audit-events.ts'
import { auditNotesIn } from './audit-notes.ts'

/** The audit log as pruning needs it (`audit/prune.ts`). */
export function prunableLog(store: Store, { append }: Pick<AuditEvents, 'append'>) {
  const events = auditEventsIn(store)
  const notes = auditNotesIn(store)
  return {
    /** The last checkpoint with nothing but older events up to it, when there is something to remove. */
    async lastCheckpointBefore(timeMs: number): Promise<ChainHead | null> {
      const first = await events.firstSeq()
      const keptFrom = await events.firstSince(timeMs)
      const last = await notes.last('checkpoint', keptFrom === null ? undefined : keptFrom - 1)
      if (first === null || last === null || last.hash === null || last.seq < first) return null
      return { seq: last.seq, hash: last.hash }
    },

    /** Writes down that the log is cut, before it is. False when another key signs by now. */
    async recordCut(cut: StoredNote, publicKey: string, event: AuditEvent): Promise<boolean> {
      return writeIf(store.engine, [notes.demandPublicKey(publicKey), append(event), notes.add(cut)])
    },

    /** Up to where it is cut by what was written down; the removal may not be finished. */
    async cutAt(): Promise<number | null> {
      return (await notes.last('cut'))?.seq ?? null
    },

    removeEvents: events.remove,

    async removeNotes(beforeSeq: number): Promise<void> {
      await store.engine.write([notes.removeBefore(beforeSeq)])
    }
  }
}
