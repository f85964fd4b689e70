import type { Client, QueryResult } from 'pg'
import type { Row } from '../engine/engine.ts'
import type { JobResult, Query, Transaction } from '../engine/transaction.ts'
import { writeLock } from './base.ts'
import { nameOfText, toParameters } from './connect.ts'
import { isRefusal, isSequel, toJobError } from './errors.ts'

/** The writer's row, and the number of the commit that is to come. */
export interface Step {
  writer: string
  number: number
  /** By the server's clock, in ms; null where no member has a time. */
  latestMs: number | null
  /** Whether a member that is refused is undone alone. It takes four times as many statements, so without it is tried first. */
  hasSavepoints: boolean
}

/** The result of a group. `unknown`: the answer to its commit was lost, so it may stand, or may be about to. */
export type GroupResult =
  | { kind: 'committed'; members: JobResult[]; serverMs: number }
  | { kind: 'undone'; cause: unknown; serverMs: number | null; isByMember: boolean }
  /** Null for a member whose own answers were lost, too. */
  | { kind: 'unknown'; members: (JobResult | null)[] }

type Answer = PromiseSettledResult<QueryResult>

/**
 * Sends transactions that wait together, as one message that ends in a commit: no lock is held while anything goes to us or back. With savepoints
 * each member stands for itself. Without, all of them are undone where one is refused.
 */
export async function sendGroup(client: Client, members: Transaction[], step: Step): Promise<GroupResult> {
  const named = new Set<string>()
  const ask = (text: string, values: readonly unknown[] = []): Promise<Answer> => {
    const name = nameFor(client, text, named)
    const answer = settled(client.query({ text, values: toParameters(values), ...(name !== undefined && { name }) }))
    if (name !== undefined) void answer.then(({ status }) => status === 'fulfilled' && plannedOn(client).add(name))
    return answer
  }
  const run = (text: string): Promise<Answer> => settled(client.query(text))
  const { writer, number, latestMs, hasSavepoints } = step
  const before = [run('begin isolation level read committed read write'), ask(lock, [writer])]
  const parts = members.map(({ statements }, i) => {
    const begun = hasSavepoints ? [run('savepoint one')] : []
    const answers = statements.map(statement => ask(textOf(statement), statement.parameters))
    if (!hasSavepoints) return { statements, answers, others: [] }
    const written = ask(memberWritten, [`${i} `])
    for (const text of backToLast) void run(text)
    return { statements, answers, others: [...begun, written] }
  })
  const after = [
    ...(latestMs === null ? [] : [ask('select livegate_in_time(to_timestamp($1::float8 / 1000))', [latestMs])]),
    ask(`select livegate_commit($1, $2, nullif(current_setting('livegate.members', true), ''))`, [writer, number]),
    // A commit waits for a standby as long as it takes: one that is cut short might not be there after a fail-over.
    run('set local statement_timeout = 0')
  ]
  const committed = await run('commit')
  const [started, ended] = await Promise.all([Promise.all(before), Promise.all(after)])
  const results = await Promise.all(parts.map(memberResult))
  const serverMs = serverTime(started[1])
  const byMember = hasSavepoints ? [] : (await Promise.all(parts.map(({ answers }) => Promise.all(answers)))).flat()
  const cause = firstRefusal([...started, ...byMember, ...ended, committed])
  if (cause !== undefined) return { kind: 'undone', cause, serverMs, isByMember: firstRefusal(byMember) === cause }
  if (committed.status === 'rejected') return { kind: 'unknown', members: results }
  if (committed.value.command !== 'COMMIT')
    return { kind: 'undone', cause: new Error('rolled back'), serverMs, isByMember: false }
  return { kind: 'committed', members: results as JobResult[], serverMs: serverMs ?? 0 }
}

/** Names of statements that the server has planned on a connection. */
const planned = new WeakMap<Client, Set<string>>()

function plannedOn(client: Client): Set<string> {
  const known = planned.get(client) ?? new Set()
  planned.set(client, known)
  return known
}

/**
 * The name of a statement, for the server to plan it once. In one group a new name stands once: the server may refuse to plan it there, since the
 * member was undone before, and who uses the name behind that would be refused with it.
 */
function nameFor(client: Client, text: string, named: Set<string>): string | undefined {
  const name = nameOfText(text)
  if (name === undefined || plannedOn(client).has(name)) return name
  if (named.has(name)) return undefined
  named.add(name)
  return name
}

/** The writer is named for what is written, so that others know whose that is. */
const lock = `select extract(epoch from clock_timestamp()) * 1000 as ms, set_config('livegate.writer', $1, true)
  from pg_advisory_xact_lock(${writeLock})`
/** It is undone with its member: so the row of the writer tells which members stand. */
const memberWritten = `select set_config('livegate.members', coalesce(current_setting('livegate.members', true), '') || $1, true)`
/**
 * A name stands for the newest savepoint that has it. Where a statement of the member was refused, the server refuses the first two of these as
 * well, and the third goes back to before the member. Else it goes back to behind the member, which undoes nothing.
 */
const backToLast = ['release savepoint one', 'savepoint one', 'rollback to savepoint one', 'release savepoint one']

interface Part {
  statements: Transaction['statements']
  answers: Promise<Answer>[]
  others: Promise<Answer>[]
}

async function memberResult({ statements, answers, others }: Part): Promise<JobResult | null> {
  const own = await Promise.all(answers)
  const all = [...own, ...(await Promise.all(others))]
  if (all.every(answer => answer.status === 'fulfilled'))
    return { rows: statements.map((one, i) => rowsOf(one, own[i])) }
  const cause = firstRefusal(all)
  return cause === undefined ? null : { error: toJobError(cause) }
}

/** Leaves out those that follow from another one. */
function firstRefusal(answers: Answer[]): unknown {
  const found = answers.find(one => one.status === 'rejected' && isRefusal(one.reason) && !isSequel(one.reason))
  return found?.status === 'rejected' ? found.reason : undefined
}

function rowsOf(statement: Transaction['statements'][number], answer: Answer | undefined): Row[] {
  if (answer?.status !== 'fulfilled' || (statement.changes !== undefined && !isReader(statement.sql))) return []
  return answer.value.rows
}

function serverTime(answer: Answer | undefined): number | null {
  return answer?.status === 'fulfilled' ? Number(answer.value.rows[0]?.ms) : null
}

function settled(answer: Promise<QueryResult>): Promise<Answer> {
  return answer.then(
    value => ({ status: 'fulfilled', value }),
    reason => ({ status: 'rejected', reason })
  )
}

/** Whether a statement gives rows. */
export function isReader(text: string): boolean {
  return /^\s*select\b/i.test(text) || /\breturning\b/i.test(text)
}

/** A statement that is refused when it changes another number of rows than its caller expects. */
function textOf({ sql, changes }: Query & { changes?: number | undefined }): string {
  if (changes === undefined) return sql
  const demand = `livegate_demand((select count(*) from changed), ${changes})`
  return isReader(sql)
    ? `with changed as (${sql}), demanded as (select ${demand} as holds)
        select changed.* from demanded left join changed on true where demanded.holds`
    : `with changed as (${sql} returning 1) select ${demand}`
}
