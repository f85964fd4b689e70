import { sqlFor } from '../../src/store/database.ts'
import type { Engine, Row } from '../../src/store/engine.ts'
import { migrate } from '../../src/store/migrations.ts'
import { type Job, SqliteConnection, toStoreError } from '../../src/store/sqlite-connection.ts'
import type { Store } from '../../src/store/store.ts'

/** A store without threads, for tests that look into it: quicker, and seen by the coverage, which threads are not. */
export async function openStoreHere(file: string, waits: { busyTimeoutMs?: number } = {}): Promise<Store> {
  const connection = new SqliteConnection({ ...waits, file, readonly: false })
  const run = async (job: Job): Promise<Row[][]> => {
    const result = connection.run(job)
    if ('error' in result) throw toStoreError(result.error)
    return result.rows
  }
  const read = async <R>({ sql, parameters }: { sql: string; parameters: readonly unknown[] }): Promise<R[]> => {
    const [rows] = await run({ statements: [{ sql, parameters }], transaction: false })
    return (rows ?? []) as R[]
  }
  const engine: Engine = {
    dialect: 'sqlite',
    read,
    scan: read,
    write: (statements, { withinMs } = {}) =>
      run({
        statements: [...statements],
        transaction: true,
        expiresAtMs: withinMs === undefined ? undefined : Date.now() + withinMs
      }),
    async close() {
      connection.close()
    }
  }
  const sql = sqlFor('sqlite')
  await migrate(engine, sql)
  return { engine, sql, close: () => engine.close() }
}
