import type { CompiledQuery } from 'kysely'
import { type Engine, type Row, threadTimeMs } from './engine.ts'
import { type ConnectionOptions, SqliteConnection } from './sqlite-connection.ts'
import { cannotOpen, makeFile, refuseMount } from './sqlite-file.ts'
import { type JobResult, toStoreError } from './transaction.ts'

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
  return engineOver(connected({ ...waits, file, readonly: false }))
}

/**
 * One moment of a store, from opening to closing, while others may write into it: nothing is made, changed or brought up to date.
 * @throws StoreError when there is no such store, or when it is a mount of its own
 */
export async function openSqliteSnapshot(file: string): Promise<Engine> {
  await refuseMount(file)
  const connection = connected({ file, readonly: true })
  rowsOf(connection.read({ sql: 'begin', parameters: [] }))
  return engineOver(connection)
}

function connected(options: ConnectionOptions): SqliteConnection {
  try {
    return new SqliteConnection(options)
  } catch (cause) {
    throw cannotOpen(options.file, cause)
  }
}

function engineOver(connection: SqliteConnection): Engine {
  const read = async <R>({ sql, parameters }: CompiledQuery<R>): Promise<R[]> =>
    rowsOf(connection.read({ sql, parameters }))[0] as R[]
  return {
    dialect: 'sqlite',
    read,
    scan: read,
    // One thread is all that it has.
    async serve() {},
    async write(statements, { withinMs } = {}) {
      const expiresAtMs = withinMs === undefined ? undefined : threadTimeMs() + withinMs
      const [result] = connection.write([{ statements: [...statements], expiresAtMs }])
      return rowsOf(result as JobResult)
    },
    async check() {
      rowsOf(connection.check())
    },
    async fold() {
      connection.fold()
    },
    async close() {
      connection.close()
    }
  }
}

function rowsOf(result: JobResult): Row[][] {
  if ('error' in result) throw toStoreError(result.error)
  return result.rows
}
