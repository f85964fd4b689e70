import { setTimeout as sleep } from 'node:timers/promises'
import { type CompiledQuery, sql as raw } from 'kysely'
import type { Pool } from 'pg'
import type { PostgresHome } from '../../domain/store-home.ts'
import { type Engine, type Row, StoreMoved, threadTimeMs } from '../engine/engine.ts'
import { GroupCommit } from '../engine/group-commit.ts'
import { sqlFor } from '../schema/database.ts'
import { nameOfText, Primary, pipelineTo, readersOf, toParameters } from './connect.ts'
import { fromPostgres } from './errors.ts'
import { PostgresWriter } from './writer.ts'

/** An engine whose writer has a row of its own, by which other processes know it. */
export interface PostgresEngine extends Engine {
  readonly writerId: string
  /** From now on it goes on under another name after others have taken it for dead, as one of so many replicas. */
  comeBack(most: number): void
  /** True when another gateway has taken over, or the database has lost commits: nothing is written any more. */
  moved(): boolean
}

/** Times for which a process waits. */
export interface PostgresWaits {
  /** A look-up that takes longer fails: calls that wait for it, a stop among them, go on without it. */
  readWithinMs?: number
  /** While calls come: a commit whose answer takes longer counts as lost, and is looked up. */
  answerWithinMs?: number
}

/** The server has room for so many savepoints of a transaction in its memory of what is under way. */
const maxGroup = 60
const readers = 4
const scanners = 2
const scanWithinMs = 10_000
/** A store that is only being opened may take long: the steps of its schema walk through all rows. */
const whileOpening = { statementMs: 0, lockMs: 10_000, idleInTransactionMs: 0 }
const whileServing = { statementMs: 5_000, lockMs: 2_000, idleInTransactionMs: 500 }

/**
 * PostgreSQL: one connection that writes, and few that only read.
 * @throws StoreError when the server cannot be reached, or cannot have a store
 */
export async function openPostgres(
  home: PostgresHome,
  { readWithinMs = 2_000, answerWithinMs = 6_000 }: PostgresWaits = {}
): Promise<PostgresEngine> {
  const primary = new Primary(home)
  const writer = new PostgresWriter({ home, primary, limits: whileOpening, answerWithinMs: null })
  const lookUps = readersOf(home, { max: readers, withinMs: readWithinMs })
  const scans = readersOf(home, { max: scanners, withinMs: scanWithinMs })
  const group = new GroupCommit(transactions => writer.write(transactions), maxGroup)
  let isClosed = false
  try {
    await writer.connect()
  } catch (error) {
    await Promise.all([lookUps.end(), scans.end()])
    throw error
  }

  return {
    dialect: 'postgres',
    get writerId() {
      return writer.id
    },
    comeBack: most => writer.comeBack(most),
    moved: () => writer.moved !== null,
    read: query => ask(lookUps, query),
    scan: query => ask(scans, query),
    async serve() {
      writer.limit(whileServing, answerWithinMs)
    },
    write(statements, { withinMs } = {}) {
      const plain = statements.map(({ sql, parameters, changes }) => ({ sql, parameters, changes }))
      const expiresAtMs = withinMs === undefined ? undefined : threadTimeMs() + withinMs
      return group.run({ statements: plain, expiresAtMs })
    },
    async check() {
      if (writer.moved !== null) throw new StoreMoved(writer.moved.reason)
      await primary.demand(lookUps).catch(error => {
        throw fromPostgres(error)
      })
    },
    // Everything is in one place.
    async fold() {},
    async close() {
      if (isClosed) return
      isClosed = true
      // A write that is under way is waited for, though not for ever: it may be a look-up while the server is away.
      await Promise.race([group.idle(), sleep(answerWithinMs, undefined, { ref: false })])
      await Promise.all([lookUps.end(), scans.end(), writer.close()])
    }
  }
}

async function ask<R>(pool: Pool, { sql, parameters }: CompiledQuery<R>): Promise<R[]> {
  const name = nameOfText(sql)
  try {
    const { rows } = await pool.query({
      text: sql,
      values: toParameters(parameters),
      ...(name !== undefined && { name })
    })
    return rows
  } catch (error) {
    throw fromPostgres(error)
  }
}

/** Whether the database has a store. */
export async function hasStore(engine: Pick<Engine, 'read'>): Promise<boolean> {
  const query = raw<{ there: boolean }>`select to_regclass('meta') is not null as there`
  return (await engine.read(query.compile(sqlFor('postgres'))))[0]?.there === true
}

/**
 * One moment of a store, from opening to closing, while others write into it: nothing is made, changed or brought up to date.
 * @throws StoreError
 */
export async function openPostgresSnapshot(home: PostgresHome): Promise<Engine> {
  const client = pipelineTo(home, { ...whileOpening, lockMs: 0 })
  const query = async <R>({ sql, parameters }: Pick<CompiledQuery<R>, 'sql' | 'parameters'>): Promise<R[]> => {
    try {
      return (await client.query({ text: sql, values: toParameters(parameters) })).rows
    } catch (error) {
      throw fromPostgres(error)
    }
  }
  try {
    await client.connect()
    await new Primary(home).demand(client)
    await client.query('begin isolation level repeatable read read only')
  } catch (error) {
    client.connection.stream.destroy()
    throw fromPostgres(error)
  }
  return {
    dialect: 'postgres',
    read: query,
    scan: query,
    async serve() {},
    // The server refuses what would change something.
    write: statements => Promise.all(statements.map(statement => query(statement) as Promise<Row[]>)),
    async check() {},
    async fold() {},
    close: () => client.end()
  }
}
