import type { CompiledQuery } from 'kysely'
import { identityOf } from '../served/store-place.ts'
import { type Engine, threadTimeMs } from './engine.ts'
import { GroupCommit } from './group-commit.ts'
import type { ConnectionOptions } from './sqlite-connection.ts'
import { cannotOpen, makeFile } from './sqlite-file.ts'
import { SqliteThread } from './sqlite-thread.ts'
import { type JobResult, toStoreError } from './transaction.ts'

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
 * nor a cache miss. A thread takes 0.1 s of CPU and 12 MB, so the two begin when calls come that need them.
 * @throws StoreError when the file cannot be opened or made
 */
export async function openSqlite(
  file: string,
  { readWithinMs = 2_000, scannerEndsAfterMs = 60_000, ...waits }: Waits = {}
): Promise<Engine> {
  await makeFile(file)
  const options = { ...waits, file, identity: identityOf(file) ?? undefined }
  const writer = new SqliteThread({ ...options, readonly: false })
  const reader = new SqliteThread({ ...options, readonly: true })
  const scanner = new SqliteThread({ ...options, readonly: true }, { endsAfterMs: scannerEndsAfterMs })
  const threads = [scanner, reader, writer]
  const group = new GroupCommit(transactions => writer.run({ write: transactions }))
  const nothing = { read: { sql: 'select 1', parameters: [] } }
  let isServing = false
  let isStarting = false
  // Before the first call there is nothing that a look-up could wait for, nor a look-up that could wait for a scan.
  let lookUps = writer
  try {
    await writer.run(nothing)
  } catch (error) {
    await Promise.all(threads.map(thread => thread.close()))
    throw cannotOpen(file, error)
  }

  /** No look-up waits for it: until it stands, the writer looks up too. */
  async function startReader(): Promise<void> {
    if (isStarting || lookUps === reader) return
    isStarting = true
    try {
      await reader.run(nothing, readWithinMs)
      lookUps = reader
    } catch {
      // The next write tries again.
    } finally {
      isStarting = false
    }
  }

  return {
    dialect: 'sqlite',
    read: query => ask(lookUps, query, readWithinMs),
    scan: query => ask(isServing ? scanner : writer, query, scanWithinMs),
    async serve() {
      isServing = true
      await startReader()
    },
    write(statements, { withinMs } = {}) {
      if (isServing) void startReader()
      const plain = statements.map(({ sql, parameters, changes }) => ({ sql, parameters, changes }))
      // A moment and not a span: what waits for its turn grows old too.
      const expiresAtMs = withinMs === undefined ? undefined : threadTimeMs() + withinMs
      return group.run({ statements: plain, expiresAtMs })
    },
    async check() {
      rowsOf((await lookUps.run({ check: true }, readWithinMs))[0] as JobResult)
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
