import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import type { PostgresHome } from '../../domain/store-home.ts'
import { StoreError, StoreMoved, threadTimeMs } from '../engine/engine.ts'
import { isOver, type JobResult, type Transaction, tooLate } from '../engine/transaction.ts'
import { makeBase } from './base.ts'
import { bounded, connectWithinMs, type Primary, pipelineTo, type SessionLimits } from './connect.ts'
import { fromPostgres, raised, stateOf, toJobError } from './errors.ts'
import { isReader, sendGroup } from './group.ts'

export interface WriterOptions {
  home: PostgresHome
  primary: Primary
  limits: SessionLimits
  /** A group whose answer takes longer counts as lost, and is looked up. */
  answerWithinMs: number | null
}

/** Time for a connection to stand, with all that it needs. */
const openWithinMs = 15_000
const lookWithinMs = 5_000
/** Pause between two attempts to look up a commit. */
const lookEveryMs = 200
/** Where one member was refused, more will be: so many groups are not sent without savepoints first. */
const refusalsLast = 20
/** Written by a look-up in the place of the members of a commit. */
const calledOff = 'called off'

const register = `insert into livegate_writers (id, serves, most, serves_since)
  values ($1, $2::integer is not null, coalesce($2::integer, 1), clock_timestamp()) on conflict do nothing`

/** The row of a writer, as a look-up finds it. */
interface WriterRow {
  commits: number
  members: string | null
}

/**
 * The one connection of a process that writes. Each commit has a number in the writer's row, which only goes on one by one: a commit whose answer
 * was lost is looked up by its number, and called off for good when it does not stand.
 */
export class PostgresWriter {
  #id = randomUUID()
  readonly #home: PostgresHome
  readonly #primary: Primary
  #limits: SessionLimits
  #answerWithinMs: number | null
  readonly #ending = new AbortController()
  #client: Client | null = null
  #isKnown = false
  #commits = 0
  /** How far the server's clock is ahead of ours, or a little less than that. */
  #serverAheadMs: number | null = null
  #moved: StoreError | null = null
  /** So many groups have savepoints from the start. */
  #withSavepoints = 0
  /** It goes on under another name after others have taken it for dead, as one of so many replicas. Null: then it writes nothing more. */
  #most: number | null = null

  constructor({ home, primary, limits, answerWithinMs }: WriterOptions) {
    this.#home = home
    this.#primary = primary
    this.#limits = limits
    this.#answerWithinMs = answerWithinMs
  }

  /** Names its row. A writer that comes back has another one. */
  get id(): string {
    return this.#id
  }

  /** From now on it comes back when it is fenced, as one of so many replicas. */
  comeBack(most: number): void {
    this.#most = most
  }

  /** Why nothing can be written any more; null while it can. */
  get moved(): StoreError | null {
    return this.#moved
  }

  /** Bounds that hold from the next connection on. */
  limit(limits: SessionLimits, answerWithinMs: number): void {
    this.#limits = limits
    this.#answerWithinMs = answerWithinMs
    void this.#client?.end()
    this.#client = null
  }

  /** Connects, if it is not. @throws StoreError */
  async connect(): Promise<void> {
    await this.#connected()
  }

  /** Writes a group. Never throws: each result says what became of its transaction. */
  async write(group: Transaction[]): Promise<JobResult[]> {
    const results = group.map((): JobResult => ({ error: tooLate }))
    let left = group.map((transaction, i) => ({ transaction, i }))
    for (;;) {
      left = left.filter(({ transaction }) => !isOver(transaction, threadTimeMs()))
      if (left.length === 0) return results
      const members = left.map(({ transaction }) => transaction)
      try {
        const done = await this.#send(members)
        if (done !== null) {
          left.forEach(({ i }, member) => {
            results[i] = done[member] as JobResult
          })
          return results
        }
        // One was too late: the others are tried again.
        const firstMs = Math.min(...members.map(({ expiresAtMs = Number.POSITIVE_INFINITY }) => expiresAtMs))
        left = left.filter(({ transaction }) => transaction.expiresAtMs !== firstMs)
      } catch (error) {
        for (const { i } of left) results[i] = { error: toJobError(error) }
        return results
      }
    }
  }

  /** Nothing that is under way is waited for. */
  async close(): Promise<void> {
    this.#ending.abort()
    const client = this.#client
    if (client === null) return
    const goodbye = client.query('delete from livegate_writers where id = $1', [this.#id])
    // A row that stays is removed after a day, by a gateway that starts.
    await bounded(client, connectWithinMs, goodbye).catch(() => {})
    await bounded(client, connectWithinMs, client.end()).catch(() => {})
  }

  /** The results of the members; null when a time was over. @throws when nothing was written */
  async #send(members: Transaction[]): Promise<JobResult[] | null> {
    const client = await this.#connected()
    const times = members.flatMap(({ expiresAtMs }) => expiresAtMs ?? [])
    const aheadMs = this.#serverAheadMs
    const latestMs = times.length === 0 || aheadMs === null ? null : Math.min(...times) + aheadMs
    const number = this.#commits + 1
    const hasSavepoints = members.length > 1 && this.#withSavepoints > 0
    this.#withSavepoints -= 1
    const sent = sendGroup(client, members, { writer: this.#id, number, latestMs, hasSavepoints })
    const result = await bounded(client, this.#answerWithinMs, sent, this.#ending.signal)
    if (result.kind === 'unknown') return this.#lookUp(number, members, result)
    if (result.serverMs !== null) this.#serverAheadMs = result.serverMs - threadTimeMs()
    if (result.kind === 'undone') {
      if (result.isByMember && members.length > 1) {
        this.#withSavepoints = refusalsLast
        return this.#send(members)
      }
      return this.#undone(result.cause, members)
    }
    this.#commits = number
    return result.members
  }

  #undone(cause: unknown, members: Transaction[]): JobResult[] | null {
    const state = stateOf(cause)
    if (state === raised.expired) return null
    if (state === raised.fenced && this.#most !== null) this.#beginAnew()
    else if (state === raised.fenced || state === raised.rewound) this.#moved = fromPostgres(cause)
    return members.map(() => ({ error: toJobError(cause) }))
  }

  /** Finds out whether a commit stands, however long the server is away, and sees to it that it does not come to stand later. */
  async #lookUp(
    number: number,
    members: Transaction[],
    { members: known }: { members: (JobResult | null)[] }
  ): Promise<JobResult[]> {
    this.#drop()
    const row = await this.#callOff(number)
    if (row.commits < number) {
      this.#moved = new StoreMoved('the database has lost commits that it had acknowledged')
      throw this.#moved
    }
    this.#commits = number
    if (row.members === calledOff) throw new StoreError('the connection was lost, and nothing was written')
    const standing = row.members === null ? null : new Set(row.members.split(' '))
    return members.map((member, i) => known[i] ?? resultOf(member, standing === null || standing.has(String(i))))
  }

  /** The row behind it: of the commit if it stands, else of the look-up. */
  async #callOff(number: number): Promise<WriterRow> {
    for (;;) {
      try {
        const client = await this.#connected()
        // An update waits for a commit that is under way: so either of the two changes the row, and never both.
        const call = client.query(
          'update livegate_writers set commits = $2, members = $3 where id = $1 and commits = $2::bigint - 1',
          [this.#id, number, calledOff]
        )
        await bounded(client, lookWithinMs, call)
        const look = client.query('select commits, members from livegate_writers where id = $1', [this.#id])
        const { rows } = await bounded(client, lookWithinMs, look)
        return rows[0] ?? { commits: 0, members: null }
      } catch (error) {
        this.#drop()
        if (this.#ending.signal.aborted)
          throw new StoreError('the store was closed before a commit was looked up', { cause: error })
      }
      await sleep(lookEveryMs, undefined, { signal: this.#ending.signal }).catch(() => {})
    }
  }

  async #connected(): Promise<Client> {
    if (this.#moved !== null) throw this.#moved
    if (this.#client !== null) return this.#client
    const client = pipelineTo(this.#home, this.#limits)
    client.once('end', () => {
      if (this.#client === client) this.#client = null
    })
    await bounded(client, openWithinMs, this.#begin(client)).catch(error => {
      client.connection.stream.destroy()
      throw fromPostgres(error)
    })
    this.#client = client
    return client
  }

  async #begin(client: Client): Promise<void> {
    await client.connect()
    this.#serverAheadMs = (await this.#primary.demand(client)) - threadTimeMs()
    if (this.#isKnown) return
    await makeBase(client)
    await client.query(register, [this.#id, this.#most])
    this.#isKnown = true
  }

  /** Rows under the name of before stay with those who have taken them over. */
  #beginAnew(): void {
    this.#drop()
    this.#id = randomUUID()
    this.#isKnown = false
    this.#commits = 0
  }

  #drop(): void {
    const client = this.#client
    this.#client = null
    client?.connection.stream.destroy()
  }
}

/** The result of a member whose answers were lost, once it is known whether it stands. */
function resultOf({ statements }: Transaction, stands: boolean): JobResult {
  const lost = (message: string): JobResult => ({ error: { kind: 'failed', message } })
  if (!stands) return lost('it was refused, and the reason was lost with the connection')
  if (statements.some(({ sql }) => isReader(sql))) return lost('it stands, but its answer was lost with the connection')
  return { rows: statements.map(() => []) }
}
