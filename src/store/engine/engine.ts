import type { CompiledQuery } from 'kysely'
import { StoreUnavailable } from '../../domain/refusals/failures.ts'

/** A row as the driver gives it; `query<Row>` types it from the query that asked. */
export type Row = Record<string, unknown>

/** A compiled query. With `changes`, the transaction is undone with a `Conflict` unless it changes exactly so many rows. */
export type Statement = CompiledQuery & { readonly changes?: number }

export interface WriteOptions {
  /** The transaction neither begins nor commits later than this from now. Without it, it may take as long as it takes. */
  withinMs?: number
}

/**
 * Runs SQL, off the main thread: in SQLite (`sqlite.ts`) or in PostgreSQL.
 * All methods reject with a `StoreError` when the store can't do it.
 */
export interface Engine {
  readonly dialect: 'sqlite' | 'postgres'
  /** Runs a look-up that calls wait for: it takes microseconds, and never longer than a second or two. */
  read<R>(query: CompiledQuery<R>): Promise<R[]>
  /** Runs a query that may walk many rows, such as a list: nothing but other scans waits behind it. */
  scan<R>(query: CompiledQuery<R>): Promise<R[]>
  /**
   * Calls come from now on: their look-ups wait neither for a write nor for a scan. A store that is only being opened needs
   * no threads for that. Resolves when they stand, or could not be had for now.
   */
  serve(): Promise<void>
  /**
   * Runs all statements, in order, in one durable transaction: all or nothing. Gives the rows that each one returned.
   * @throws UniqueViolation, Conflict, Expired
   */
  write(statements: Statement[], options?: WriteOptions): Promise<Row[][]>
  /**
   * Checks that the store is still where it was opened. Otherwise its open connections read and write a file that nobody will find
   * again. @throws StoreMoved
   */
  check(): Promise<void>
  /** Brings all that was written into the main file, so that a copy of that file alone has it, as far as other processes let it. */
  fold(): Promise<void>
  close(): Promise<void>
}

interface ListQuery<R> {
  compile(): CompiledQuery<R>
  limit(rows: number): { compile(): CompiledQuery<R> }
}

/** A list of so many rows takes a look-up's time. */
const shortList = 500

/** Runs a list that is short most of the time as a look-up, and as a scan only when it is not. */
export async function readList<R>(engine: Pick<Engine, 'read' | 'scan'>, list: ListQuery<R>): Promise<R[]> {
  const rows = await engine.read(list.limit(shortList + 1).compile())
  return rows.length <= shortList ? rows : engine.scan(list.compile())
}

/** Runs a transaction whose statements say how much they change. False, and nothing was written, when one changed another number. */
export async function writeIf(engine: Pick<Engine, 'write'>, statements: Statement[]): Promise<boolean> {
  try {
    await engine.write(statements)
    return true
  } catch (error) {
    if (error instanceof Conflict) return false
    throw error
  }
}

/** The store could not do what was asked. A caller sees the catalogue's sentence; `reason` is for the log and the CLI. */
export class StoreError extends StoreUnavailable {
  readonly reason: string

  constructor(reason: string, { cause }: { cause?: unknown } = {}) {
    super({ cause: new Error(reason, { cause }) })
    this.reason = reason
  }
}

/** An error in the words of the part that threw it, for the log and the CLI. */
export function wordsOf(error: unknown): string {
  if (error instanceof StoreError) return error.reason
  return error instanceof Error ? error.message : String(error)
}

/** The store's files were moved away, removed or replaced while they were open: nothing is written any more. */
export class StoreMoved extends StoreError {}

/** A row with this key exists already. */
export class UniqueViolation extends StoreError {}

/** A statement changed another number of rows than its caller expected; nothing was written. */
export class Conflict extends StoreError {}

/** The transaction would have come too late; nothing was written. */
export class Expired extends StoreError {}

/** Stands in a compiled query for a value that comes with each call. */
class StandIn {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/**
 * A query that is compiled once, since that costs more than running it. `build` is given stand-ins: it may put them wherever a
 * value can stand, and must not look at them. Only null, undefined and booleans it sees as they are, since they decide what
 * the query looks like: it is compiled once for each combination of them.
 */
export function compileOnce<Values extends object, Result>(
  build: (values: Values) => { compile(): CompiledQuery<Result> }
): (values: Values) => CompiledQuery<Result> {
  const compiled = new Map<string, CompiledQuery<Result>>()

  return values => {
    const given = values as Record<string, unknown>
    const shape = shapeOf(given)
    let query = compiled.get(shape)
    if (query === undefined) {
      const shown = Object.entries(given).map(([name, value]) => [name, isShown(value) ? value : new StandIn(name)])
      query = build(Object.fromEntries(shown) as Values).compile()
      compiled.set(shape, query)
    }
    return { ...query, parameters: query.parameters.map(one => (one instanceof StandIn ? given[one.name] : one)) }
  }
}

function shapeOf(values: Record<string, unknown>): string {
  let shape = ''
  for (const name in values) shape += isShown(values[name]) ? `${name}=${values[name]} ` : `${name} `
  return shape
}

function isShown(value: unknown): boolean {
  return value == null || typeof value === 'boolean'
}

/** Milliseconds that never run backwards and are the same in each thread, where `performance.now()` begins anew. */
export function threadTimeMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
