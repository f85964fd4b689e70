import type { CompiledQuery } from 'kysely'
import { identityOf } from '../served/store-place.ts'
import { type Engine, threadTimeMs } from './engine.ts'
import { GroupCommit } from './group-commit.ts'
import { type ConnectionOptions, type JobResult, toStoreError } from './sqlite-connection.ts'
import { cannotOpen, makeFile } from './sqlite-file.ts'
import { SqliteThread } from './sqlite-thread.ts'

/** Times for which this process waits. */
export interface Waits extends Pick<ConnectionOptions, 'busyTimeoutMs'> {
  /** A store that doesn't answer in this time counts as broken: calls that wait for it, a stop among them, go on without it. */
  readWithinMs?: number
  /** The thread of scans ends when there was none for so long: it takes 12 MB. */
  scannerEndsAfterMs?: number
}

const scanWithinMs = 10_000

/**
 * SQLite in worker threads, one that writes and two that only read, so that a slow disk holds neither the event loop
 * nor a cache miss.
 * @throws StoreError when the file cannot be opened or made
 */
export async function openSqlite(
  file: string,
  { readWithinMs = 2_000, scannerEndsAfterMs = 60_000, ...waits }: Waits = {}
): Promise<Engine> {
  const isNew = await makeFile(file)
  const options = { ...waits, file, identity: identityOf(file) ?? undefined }
  const writer = new SqliteThread({ ...options, readonly: false })
  const reader = new SqliteThread({ ...options, readonly: true })
  const scanner = new SqliteThread({ ...options, readonly: true }, { endsAfterMs: scannerEndsAfterMs })
  const threads = [scanner, reader, writer]
  let isServing = false
  const group = new GroupCommit(transactions => writer.run({ write: transactions }))
  const nothing = { read: { sql: 'select 1', parameters: [] } }
  try {
    // A new file becomes a WAL database first: meanwhile it is locked, and a reader would be refused.
    if (isNew) await writer.run(nothing)
    await Promise.all([writer.run(nothing), reader.run(nothing)])
  } catch (error) {
    await Promise.all(threads.map(thread => thread.close()))
    throw cannotOpen(file, error)
  }

  return {
    dialect: 'sqlite',
    read: query => ask(reader, query, readWithinMs),
    // Before the first call there is no look-up that a scan could hold back.
    scan: query => ask(isServing ? scanner : reader, query, scanWithinMs),
    serve() {
      isServing = true
    },
    write(statements, { withinMs } = {}) {
      const plain = statements.map(({ sql, parameters, changes }) => ({ sql, parameters, changes }))
      // A moment and not a span: what waits for its turn grows old too.
      const expiresAtMs = withinMs === undefined ? undefined : threadTimeMs() + withinMs
      return group.run({ statements: plain, expiresAtMs })
    },
    async check() {
      rowsOf((await reader.run({ check: true }, readWithinMs))[0] as JobResult)
    },
    async fold() {
      await writer.run({ fold: true })
    },
    async close() {
      await group.idle()
      for (const thread of threads) await thread.close()
    }
  }
}

async function ask<R>(thread: SqliteThread, { sql, parameters }: CompiledQuery<R>, withinMs: number): Promise<R[]> {
  const [result] = await thread.run({ read: { sql, parameters } }, withinMs)
  return rowsOf(result as JobResult)
}

function rowsOf<R>(result: JobResult): R[] {
  if ('error' in result) throw toStoreError(result.error)
  return result.rows[0] as R[]
}
