import type { CompiledQuery } from 'kysely'
import type { Engine, Row } from './engine.ts'
import { type ConnectionOptions, type Job, SqliteConnection, toStoreError } from './sqlite-connection.ts'
import { makeFile } from './sqlite-file.ts'

/**
 * SQLite on the calling thread: for commands, which have nothing else to do meanwhile and should cost little, beside a gateway
 * in the same container above all.
 * @throws StoreError when the file cannot be opened or made
 */
export async function openSqliteHere(
  file: string,
  waits: Pick<ConnectionOptions, 'busyTimeoutMs'> = {}
): Promise<Engine> {
  await makeFile(file)
  const connection = new SqliteConnection({ ...waits, file, readonly: false })
  const run = async (job: Job): Promise<Row[][]> => {
    const result = connection.run(job)
    if ('error' in result) throw toStoreError(result.error)
    return result.rows
  }
  const read = async <R>({ sql, parameters }: CompiledQuery<R>): Promise<R[]> => {
    const [rows] = await run({ statements: [{ sql, parameters }], transaction: false })
    return (rows ?? []) as R[]
  }
  return {
    dialect: 'sqlite',
    read,
    scan: read,
    write: (statements, { withinMs } = {}) => {
      const expiresAtMs = withinMs === undefined ? undefined : Date.now() + withinMs
      return run({ statements: [...statements], transaction: true, expiresAtMs })
    },
    async close() {
      connection.close()
    }
  }
}
