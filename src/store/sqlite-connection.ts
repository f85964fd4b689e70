import Database from 'better-sqlite3'
import { Conflict, Expired, StoreError, UniqueViolation } from './engine.ts'

export interface ConnectionOptions {
  file: string
  readonly: boolean
  /** How long to wait for another process that is writing. */
  busyTimeoutMs?: number
}

/** What crosses the thread border: plain data. */
export interface Job {
  statements: { sql: string; parameters: readonly unknown[]; changes?: number | undefined }[]
  transaction: boolean
  expiresAtMs?: number | undefined
}

/** Errors cross the border by name, since classes do not. */
export interface JobError {
  kind: 'unique' | 'conflict' | 'expired' | 'failed'
  message: string
}

export type JobResult = { rows: Record<string, unknown>[][] } | { error: JobError }

/** Another process (the CLI) may hold the write lock for a moment; longer than this and the caller hears of it. */
const defaultBusyTimeoutMs = 500
const maxPreparedStatements = 500

/** One SQLite connection. Its calls block their thread, therefore it lives in a worker (`sqlite-worker.ts`). */
export class SqliteConnection {
  readonly #database: Database.Database
  readonly #prepared = new Map<string, Database.Statement>()

  constructor({ file, readonly, busyTimeoutMs = defaultBusyTimeoutMs }: ConnectionOptions) {
    this.#database = new Database(file, { readonly, timeout: busyTimeoutMs })
    // SQLite's own knows ASCII alone; a search in any case is to find every title.
    this.#database.function('upper', { deterministic: true }, text =>
      typeof text === 'string' ? text.toUpperCase() : text
    )
    if (!readonly) {
      this.#database.pragma('journal_mode = WAL')
      this.#database.pragma('synchronous = FULL')
      this.#database.pragma('foreign_keys = ON')
    }
  }

  /** Never throws: the result says what went wrong. */
  run(job: Job, now: () => number = Date.now): JobResult {
    try {
      return { rows: job.transaction ? this.#transaction(job, now) : job.statements.map(s => this.#execute(s)) }
    } catch (error) {
      return { error: describe(error) }
    }
  }

  close(): void {
    this.#database.close()
  }

  #transaction(job: Job, now: () => number): Record<string, unknown>[][] {
    const check = (): void => {
      if (job.expiresAtMs !== undefined && now() > job.expiresAtMs) throw new Expired('too late to be written')
    }
    check()
    // IMMEDIATE takes the write lock first, so that what the transaction reads can't change before it writes.
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const rows = job.statements.map(s => this.#execute(s))
      check()
      this.#database.exec('COMMIT')
      return rows
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #execute({ sql, parameters, changes }: Job['statements'][number]): Record<string, unknown>[] {
    const statement = this.#prepare(sql)
    const rows = statement.reader ? (statement.all(...parameters) as Record<string, unknown>[]) : []
    const changed = statement.reader ? rows.length : statement.run(...parameters).changes
    if (changes !== undefined && changed !== changes) throw new Conflict(`${changed} rows changed, not ${changes}`)
    return rows
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      if (this.#prepared.size >= maxPreparedStatements) this.#prepared.clear()
      statement = this.#database.prepare(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }
}

function describe(error: unknown): JobError {
  if (error instanceof Conflict) return { kind: 'conflict', message: error.reason }
  if (error instanceof Expired) return { kind: 'expired', message: error.reason }
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof Database.SqliteError ? error.code : ''
  const unique = code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY'
  return { kind: unique ? 'unique' : 'failed', message: code === '' ? message : `${code}: ${message}` }
}

/** Back on the main thread: the class that belongs to the name. */
export function toStoreError({ kind, message }: JobError): StoreError {
  if (kind === 'unique') return new UniqueViolation(message)
  if (kind === 'conflict') return new Conflict(message)
  if (kind === 'expired') return new Expired(message)
  return new StoreError(message)
}
