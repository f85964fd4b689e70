import { hash } from 'node:crypto'
import Database from 'better-sqlite3'
import { LRUCache } from 'lru-cache'
import { upTo } from '../../domain/values/cache-size.ts'
import { StorePlace } from '../served/store-place.ts'
import { Conflict, StoreError, StoreMoved, threadTimeMs, wordsOf } from './engine.ts'
import { isOver, type JobError, type JobResult, type Query, type Transaction, tooLate } from './transaction.ts'

export interface ConnectionOptions {
  file: string
  readonly: boolean
  /** Longest wait for another process that is writing. */
  busyTimeoutMs?: number
  /** The file that must be there (`identityOf`), so that a connection that is opened later is to the same file as the others. */
  identity?: string | undefined
}

/** Another process (the CLI) may hold the write lock for a moment; longer than this and the caller hears of it. */
const defaultBusyTimeoutMs = 500
const maxPreparedStatements = 500

/** One SQLite connection. Its calls block their thread, therefore a gateway's live in workers (`sqlite-worker.ts`). */
export class SqliteConnection {
  readonly #database: Database.Database
  readonly #prepared = new LRUCache<string, Database.Statement>(upTo(maxPreparedStatements))
  readonly #place: StorePlace

  /** @throws StoreMoved when another file is there by now */
  constructor({ file, readonly, busyTimeoutMs = defaultBusyTimeoutMs, identity }: ConnectionOptions) {
    this.#database = new Database(file, { readonly, timeout: busyTimeoutMs })
    try {
      this.#place = new StorePlace(file, identity)
    } catch (error) {
      this.#database.close()
      throw error
    }
    // SQLite's own knows ASCII alone; a search in any case is to find every title.
    this.#database.function('in_capitals', { deterministic: true }, text =>
      typeof text === 'string' ? text.toUpperCase() : text
    )
    // The audit chain needs it: a transaction that reads its head also hashes what it appends.
    this.#database.function('sha256_hex', { deterministic: true }, text => hash('sha256', String(text), 'hex'))
    if (!readonly) {
      this.#database.pragma('journal_mode = WAL')
      this.#database.pragma('synchronous = FULL')
      this.#database.pragma('foreign_keys = ON')
      // The journal that undoes one transaction of a group is needed for a moment: in a file it costs as much as the commit.
      this.#database.pragma('temp_store = MEMORY')
    }
  }

  /** One query, outside of any transaction. Never throws: the result says what went wrong. */
  read(query: Query): JobResult {
    try {
      return { rows: [this.#execute(query)] }
    } catch (error) {
      return { error: describe(error) }
    }
  }

  /** As `read`, and refuses a query that could write, since the connection that writes is asked too while there is no other. */
  lookUp(query: Query): JobResult {
    try {
      if (!this.#prepare(query.sql).readonly) throw new StoreError('a read is readonly')
    } catch (error) {
      return { error: describe(error) }
    }
    return this.read(query)
  }

  /**
   * Group commit: transactions that wait together are made durable together, by one commit and its one fsync. Each stands for
   * itself all the same: what one of them breaks is undone alone, and one that is too late takes no other with it. Never throws.
   */
  write(group: Transaction[], now: () => number = threadTimeMs): JobResult[] {
    const results = group.map((): JobResult => ({ error: tooLate }))
    let left = group.map((transaction, i) => ({ transaction, i }))
    for (;;) {
      left = left.filter(({ transaction }) => !isOver(transaction, now()))
      if (left.length === 0) return results
      try {
        // IMMEDIATE takes the write lock first, so that what a transaction reads can't change before it writes.
        this.#run('BEGIN IMMEDIATE')
        for (const { transaction, i } of left) results[i] = this.#undoable(transaction)
        const late = left.filter(({ transaction }) => isOver(transaction, now()))
        if (late.length === 0) {
          // This check stands as late as it can: a commit into a file that is gone would be acknowledged and lost.
          this.#place.demand()
          this.#run('COMMIT')
          return results
        }
        this.#run('ROLLBACK')
        // The others too: one of them may be late by the time they are tried again.
        for (const { i } of left) results[i] = { error: tooLate }
      } catch (error) {
        // The disk is full, or the lock was not to be had: then nothing of the group was written.
        if (this.#database.inTransaction) this.#run('ROLLBACK')
        for (const { i } of left) results[i] = { error: describe(error) }
        return results
      }
    }
  }

  /** Checks that the files are still where they were. Never throws. */
  check(): JobResult {
    try {
      this.#place.demand()
      return { rows: [] }
    } catch (error) {
      return { error: describe(error) }
    }
  }

  /** Writes SQLite's log back into the database, as far as that can be done at once. Never throws: the log has it all. */
  fold(): void {
    try {
      // Not into a file that somebody has put there.
      this.#place.demand()
      this.#database.pragma('wal_checkpoint(PASSIVE)')
    } catch {
      // The next write tells of a disk that is full or gone.
    }
  }

  close(): void {
    // SQLite does this only at the last close; a command beside a gateway is not the last.
    if (!this.#database.readonly) this.fold()
    this.#database.close()
  }

  /** One transaction of a group. @throws what ends the whole group */
  #undoable({ statements }: Transaction): JobResult {
    this.#run('SAVEPOINT one')
    try {
      const rows = statements.map(statement => this.#execute(statement))
      this.#run('RELEASE one')
      return { rows }
    } catch (error) {
      if (!this.#database.inTransaction) throw error
      this.#run('ROLLBACK TO one')
      this.#run('RELEASE one')
      return { error: describe(error) }
    }
  }

  #execute({ sql, parameters, changes }: Transaction['statements'][number]): Record<string, unknown>[] {
    const statement = this.#prepare(sql)
    const rows = statement.reader ? (statement.all(...parameters) as Record<string, unknown>[]) : []
    const changed = statement.reader ? rows.length : statement.run(...parameters).changes
    if (changes !== undefined && changed !== changes) throw new Conflict(`${changed} rows changed, not ${changes}`)
    return rows
  }

  #run(sql: string): void {
    this.#prepare(sql).run()
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }
}

function describe(error: unknown): JobError {
  if (error instanceof Conflict) return { kind: 'conflict', message: error.reason }
  if (error instanceof StoreMoved) return { kind: 'moved', message: error.reason }
  const message = wordsOf(error)
  const code = error instanceof Database.SqliteError ? error.code : ''
  const unique = code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY'
  return { kind: unique ? 'unique' : 'failed', message: code === '' ? message : `${code}: ${message}` }
}
