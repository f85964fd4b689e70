import { sql as raw } from 'kysely'
import { type NoteKind, notedKinds, type StoredNote } from '../../../domain/audit/audit-chain.ts'
import type { Statement } from '../../engine/engine.ts'
import type { AuditCheckpointsTable } from '../../schema/database.ts'
import type { Store } from '../../store.ts'

/** The table `audit_checkpoints`: signed statements about the log. And what `meta` says of it: its name, and whose signatures count. */
export function auditNotesIn({ engine, sql }: Store) {
  const meta = async (name: string): Promise<string | null> => {
    const [row] = await engine.read(sql.selectFrom('meta').select('value').where('name', '=', name).compile())
    return row?.value ?? null
  }

  return {
    /** The name of this store's log. */
    async logName(): Promise<string> {
      return `livegate.audit/${await meta('audit_log')}`
    },

    /** The key that signs, as a C2SP verifier key, and the fingerprint of a known text; null before there were keys. */
    async keys(): Promise<{ publicKey: string | null; fingerprintCheck: string | null }> {
      return { publicKey: await meta(publicKeyName), fingerprintCheck: await meta(fingerprintName) }
    },

    /** Remembers what is not remembered yet; what is stays as it is. */
    remember({ publicKey, fingerprintCheck }: { publicKey: string; fingerprintCheck: string }): Statement {
      const values = [
        { name: publicKeyName, value: publicKey },
        { name: fingerprintName, value: fingerprintCheck }
      ]
      return sql
        .insertInto('meta')
        .values(values)
        .onConflict(conflict => conflict.doNothing())
        .compile()
    },

    /** Another key signs from now on. The transaction comes to nothing when it was another one that signed until now. */
    replacePublicKey(before: string, after: string): Statement {
      const change = sql.updateTable('meta').set({ value: after }).where('name', '=', publicKeyName)
      return { ...change.where('value', '=', before).compile(), changes: 1 }
    },

    /** Fingerprints are made with another key from now on. */
    replaceFingerprint(check: string): Statement {
      const change = sql.updateTable('meta').set({ value: check }).where('name', '=', fingerprintName)
      return { ...change.compile(), changes: 1 }
    },

    /** Part of a transaction that must come to nothing when another key signs by now. */
    demandPublicKey(key: string): Statement {
      const query = sql.selectFrom('meta').select('value').where('name', '=', publicKeyName)
      return { ...query.where('value', '=', key).compile(), changes: 1 }
    },

    /** A later one about the same place takes its place: an idle log doesn't grow. */
    add({ kind, seq, timeMs, note }: StoredNote): Statement {
      return sql
        .insertInto('audit_checkpoints')
        .values({ kind, seq, time: timeMs, note })
        .onConflict(conflict => conflict.columns(['kind', 'seq']).doUpdateSet({ time: timeMs, note }))
        .compile()
    },

    /** The same about the last event of the transaction so far. */
    addHere({ kind, timeMs, note }: Omit<StoredNote, 'seq'>): Statement {
      const seq = sql.selectFrom('audit_events').select(raw<number>`max(seq)`.as('seq'))
      return sql.insertInto('audit_checkpoints').values({ kind, seq, time: timeMs, note }).compile()
    },

    /** All, in the order of the log. */
    async list(): Promise<StoredNote[]> {
      const rows = await engine.scan(sql.selectFrom('audit_checkpoints').selectAll().orderBy('seq').compile())
      return rows.map(toStored)
    },

    /** The newest of one kind; null where there is none. */
    async newest(wanted: NoteKind): Promise<StoredNote | null> {
      const query = sql.selectFrom('audit_checkpoints').selectAll().where('kind', '=', wanted).orderBy('seq', 'desc')
      const [row] = await engine.read(query.limit(1).compile())
      return row === undefined ? null : toStored(row)
    },

    /** Notes of one kind, in the order of the log. */
    async ofKind(wanted: NoteKind): Promise<StoredNote[]> {
      const query = sql.selectFrom('audit_checkpoints').selectAll().where('kind', '=', wanted).orderBy('seq')
      return (await engine.scan(query.compile())).map(toStored)
    },

    /** Removes those about events before this place, which are gone. What was done to the log itself stays. */
    removeBefore(seq: number): Statement {
      return sql.deleteFrom('audit_checkpoints').where('seq', '<', seq).where('kind', 'not in', notedKinds).compile()
    },

    /** Place of the last one of this kind, at this place or before; with the hash that the log has there, or null when it is cut. */
    async last(
      kind: NoteKind,
      upToSeq = Number.MAX_SAFE_INTEGER
    ): Promise<{ seq: number; hash: string | null } | null> {
      const query = sql
        .selectFrom('audit_checkpoints as c')
        .leftJoin('audit_events as e', 'e.seq', 'c.seq')
        .select(['c.seq', 'e.hash'])
        .where('c.kind', '=', kind)
        .where('c.seq', '<=', upToSeq)
      const [row] = await engine.scan(query.orderBy('c.seq', 'desc').limit(1).compile())
      return row ?? null
    }
  }
}

function toStored({ kind, seq, time, note }: AuditCheckpointsTable): StoredNote {
  return { kind: kind as NoteKind, seq, timeMs: time, note }
}

const publicKeyName = 'audit_public_key'
const fingerprintName = 'audit_fingerprint_check'

export type AuditNotes = ReturnType<typeof auditNotesIn>
