import { Client, type ClientConfig, Pool, types } from 'pg'
import type { PostgresHome } from '../../domain/store-home.ts'
import { nameOfHome } from '../../domain/store-home.ts'
import { StoreError, StoreMoved } from '../engine/engine.ts'

/** Bounds of one session, in ms; 0: none. */
export interface SessionLimits {
  /** Longest time of one statement, by the server's clock. */
  statementMs: number
  /** Longest wait for a lock. */
  lockMs: number
  /** Longest time of a transaction in which nothing happens. */
  idleInTransactionMs: number
}

/** A server that does not take a connection within this time counts as away. */
export const connectWithinMs = 2_000
const oldestVersion = 150_000

const { INT8, NUMERIC } = types.builtins
/** Counts and times: none of ours is beyond what a number holds exactly. */
const numbers = new Set<number>([INT8, NUMERIC])

/** Everything is given, so that the driver reads none of it from variables or files that are not ours. */
function configOf(home: PostgresHome, { statementMs, lockMs, idleInTransactionMs }: SessionLimits): ClientConfig {
  const { host, port, database, user, password, tls } = home
  return {
    ...{ host, port, database, user },
    password: () => password?.reveal() as string,
    ssl: tls !== null && {
      ...(tls.ca !== null && { ca: tls.ca }),
      ...(!tls.checksName && { checkServerIdentity: () => undefined })
    },
    application_name: 'livegate',
    // A commit that is acknowledged is on disk, whatever the server's default is.
    options: '-c TimeZone=UTC -c client_min_messages=error -c synchronous_commit=on',
    client_encoding: 'UTF8',
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    connectionTimeoutMillis: connectWithinMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: {
      getTypeParser: ((oid: number, format: 'text') =>
        numbers.has(oid) ? Number : types.getTypeParser(oid, format)) as typeof types.getTypeParser
    }
  }
}

/** A connection on which statements go out one behind the other, without a wait for answers. */
export function pipelineTo(home: PostgresHome, limits: SessionLimits): Client {
  const client = new Client({ ...configOf(home, limits), pipeline: true })
  // Callers that wait for an answer hear of it; without a listener it would end the process.
  client.on('error', () => {})
  return client
}

/**
 * Waits for answers of a connection, and closes it when they take too long, or when it is to end: each answer that is missing is then an
 * error. Null: they may take as long as they take.
 */
export async function bounded<T>(
  client: Client,
  withinMs: number | null,
  answers: Promise<T>,
  ending?: AbortSignal
): Promise<T> {
  const close = (): void => void client.connection.stream.destroy()
  const timer = withinMs === null ? undefined : setTimeout(close, withinMs)
  ending?.addEventListener('abort', close)
  try {
    return await answers
  } finally {
    clearTimeout(timer)
    ending?.removeEventListener('abort', close)
  }
}

/** Connections for queries that only read. Each query ends within `withinMs`, also when the server is silent. */
export function readersOf(home: PostgresHome, { max, withinMs }: { max: number; withinMs: number }): Pool {
  const limits = { statementMs: withinMs, lockMs: withinMs, idleInTransactionMs: withinMs }
  const config = { ...configOf(home, limits), max, query_timeout: withinMs }
  const pool = new Pool({ ...config, connectionTimeoutMillis: Math.min(withinMs, connectWithinMs) })
  pool.on('error', () => {})
  return pool
}

/** Text as the server takes it: it has no character 0, which only a broken title of a vendor's would have. */
export function toParameters(parameters: readonly unknown[]): unknown[] {
  return parameters.map(one => (typeof one === 'string' && one.includes('\0') ? one.replaceAll('\0', '\ufffd') : one))
}

/** So many texts have a name on each connection, so that the server plans them once. */
const mostNames = 500
const names = new Map<string, string>()
const seenOnce = new Set<string>()

/** The name of a prepared statement; undefined for a text that has not come twice, or for which there is no room. */
export function nameOfText(text: string): string | undefined {
  const name = names.get(text)
  if (name !== undefined || names.size >= mostNames) return name
  if (seenOnce.delete(text)) names.set(text, `s${names.size}`)
  else seenOnce.add(text)
  if (seenOnce.size > mostNames) seenOnce.clear()
  return names.get(text)
}

/** The server that has the store. It may be another machine by now, and must never be one that was deposed. */
export class Primary {
  readonly #name: string
  #timeline = 0

  constructor(home: PostgresHome) {
    this.#name = nameOfHome(home)
  }

  /**
   * Looks whether a connection leads to the server that has the last word.
   * @returns the server's time, in epoch ms
   * @throws StoreMoved for a standby, or a primary of before; StoreError for one that cannot have a store
   */
  async demand(ask: Client | Pool): Promise<number> {
    const { rows } = await ask.query<Answer>({ text: question, name: 'primary' })
    const { version, encoding, is_standby: isStandby, timeline, now_ms: nowMs } = rows[0] as Answer
    if (version < oldestVersion) throw new StoreError(`${this.#name} is older than PostgreSQL 15`)
    if (encoding !== 'UTF8') throw new StoreError(`${this.#name} has the encoding ${encoding}: make one with UTF8`)
    if (isStandby) throw new StoreMoved(`${this.#name} is a standby: nothing can be written there`)
    if (timeline < this.#timeline)
      throw new StoreMoved(`${this.#name} is a primary of before, and another one has taken over from it`)
    this.#timeline = timeline
    return nowMs
  }
}

interface Answer {
  version: number
  encoding: string
  is_standby: boolean
  timeline: number
  now_ms: number
}

/** A timeline begins whenever a standby is promoted: it is the first part of a log file's name, in hex. */
const question = `select current_setting('server_version_num')::int as version, pg_is_in_recovery() as is_standby,
  getdatabaseencoding() as encoding,
    extract(epoch from clock_timestamp()) * 1000 as now_ms, case when pg_is_in_recovery() then 0
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end as timeline`
