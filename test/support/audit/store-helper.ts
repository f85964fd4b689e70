import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import type { Worker } from '../../../src/audit/ocsf.ts'
import { type AuditedOptions, type AuditedStore, openAudited } from '../../../src/audited-store/audited-store.ts'
import { chainHash, type StoredNote } from '../../../src/domain/audit/audit-chain.ts'
import type { Store } from '../../../src/store/store.ts'
import { auditNotesIn } from '../../../src/store/tables/audit/audit-notes.ts'
import { manualClock } from '../clock.ts'
import { storeWithTenants } from '../store/helper.ts'
import { openStoreHere } from '../store.ts'
import { eventOf, proveStore } from './helper.ts'

export const dayMs = 86_400_000
export const worker: Worker = { actor: { type: 'Operator', uid: 'alice' }, requestId: 'r-work' }

export interface Process {
  store: Store
  audited: AuditedStore
  troubles: string[]
  published: StoredNote[]
  append(count: number, timeMs?: number): Promise<void>
}

/** A store, and as many processes as a test opens on it, each with a connection of its own. */
export async function auditedWorld(t: Parameters<typeof storeWithTenants>[0]) {
  const { store, file } = await storeWithTenants(t)
  const dataDir = join(dirname(file), 'keys')
  const clock = manualClock()
  return {
    file,
    dataDir,
    clock,
    read: (name: string) => readFileSync(join(dataDir, name), 'utf8'),
    notes: () => auditNotesIn(store).list(),
    proof: (trusted: string, outside: string[] = []) => proveStore(store, trusted, outside),
    events: () => store.engine.read(store.sql.selectFrom('audit_events').selectAll().orderBy('seq').compile()),
    /** Edits by somebody who may write into the file. */
    tamper(sql: string) {
      const database = new Database(file)
      database.exec(sql)
      database.close()
    },
    rewrite(seq: number) {
      const database = new Database(file)
      rewriteFrom(database, seq)
      database.close()
    },
    async open(more: Partial<AuditedOptions> = {}): Promise<Process> {
      const store = await openStoreHere(file, { busyTimeoutMs: 10_000 })
      t.teardown(() => store.close())
      const troubles: string[] = []
      const published: StoredNote[] = []
      const audited = await openAudited({
        store,
        places: { dataDir },
        clock,
        onCheckpoint: note => published.push(note),
        onTrouble: error => troubles.push((error as Error).message),
        ...more
      })
      const append = async (count: number, timeMs = clock.now()): Promise<void> => {
        const all = Array.from({ length: count }, () => eventOf({ timeMs }))
        await store.engine.write(all.map(audited.events.append))
      }
      return { store, audited, troubles, published, append }
    }
  }
}

/** Makes this event another one, and gives it and all after it their hashes again. */
export function rewriteFrom(database: Database.Database, seq: number): void {
  const change = `update audit_events set event = replace(event, '"acme"', '"evil"'), tenant_id = 'evil' where seq = ?`
  database.prepare(change).run(seq)
  const all = database.prepare('select seq, event, prev_hash from audit_events where seq >= ? order by seq').all(seq)
  const rows = all as { seq: number; event: string; prev_hash: string }[]
  let prevHash = rows[0]?.prev_hash ?? ''
  for (const { seq, event } of rows) {
    const hash = chainHash(prevHash, event)
    database.prepare('update audit_events set prev_hash = ?, hash = ? where seq = ?').run(prevHash, hash, seq)
    prevHash = hash
  }
}
