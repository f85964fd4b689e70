import { StoreError, StoreMoved, wordsOf } from '../engine/engine.ts'
import { type JobError, toStoreError } from '../engine/transaction.ts'

/** SQLSTATEs that the functions of `base.ts` raise. */
export const raised = {
  conflict: 'LG001',
  expired: 'LG002',
  /** Another gateway has taken over from this writer. */
  fenced: 'LG003',
  /** The database does not have the last commit that this writer knows of. */
  rewound: 'LG004',
  /** The writer itself has called this commit off, since its answer was lost. */
  calledOff: 'LG005'
} as const

const kinds: Readonly<Record<string, JobError['kind']>> = {
  // A row with this key exists already (unique_violation).
  '23505': 'unique',
  [raised.conflict]: 'conflict',
  [raised.expired]: 'expired',
  [raised.fenced]: 'moved',
  [raised.rewound]: 'moved'
}

/** Errors of these kinds follow from an earlier one in the same transaction. */
const sequels = new Set(['25P02', '3B001'])

/** The SQLSTATE of an answer of the server; null for anything else, such as a connection that was lost. */
export function stateOf(error: unknown): string | null {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && typeof severity === 'string' ? code : null
}

/** Whether the server has refused a statement, and goes on. */
export function isRefusal(error: unknown): boolean {
  return stateOf(error) !== null && (error as { severity: string }).severity === 'ERROR'
}

/** Whether it only says that an earlier statement was refused. */
export function isSequel(error: unknown): boolean {
  return sequels.has(stateOf(error) ?? '')
}

/** An error of the driver, or of the server, as a group has it. */
export function toJobError(error: unknown): JobError {
  if (error instanceof StoreError)
    return { kind: error instanceof StoreMoved ? 'moved' : 'failed', message: error.reason }
  const state = stateOf(error)
  const words = wordsOf(error)
  if (state !== null) {
    const kind = kinds[state] ?? 'failed'
    return { kind, message: state.startsWith('LG') ? words : `${state}: ${words}` }
  }
  // Node gives the reasons in a list alone where several addresses refuse.
  const code = (error as NodeJS.ErrnoException).code
  return { kind: 'failed', message: `PostgreSQL cannot be reached: ${words || code || 'no connection'}` }
}

/** The same for who asks on his own. */
export function fromPostgres(error: unknown): StoreError {
  return error instanceof StoreError ? error : toStoreError(toJobError(error))
}
