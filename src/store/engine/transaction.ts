import { Conflict, Expired, StoreError, StoreMoved, UniqueViolation } from './engine.ts'

/** A statement as plain data, which crosses the border of a thread. */
export interface Query {
  sql: string
  parameters: readonly unknown[]
}

/** Statements that are written together or not at all. */
export interface Transaction {
  statements: (Query & { changes?: number | undefined })[]
  expiresAtMs?: number | undefined
}

/** Errors cross the border by name, since classes do not. */
export interface JobError {
  kind: 'unique' | 'conflict' | 'expired' | 'moved' | 'failed'
  message: string
}

export type JobResult = { rows: Record<string, unknown>[][] } | { error: JobError }

/** A question to a thread of SQLite: exactly one of the four fields is set. */
export interface Job {
  id: number
  check?: true
  read?: Query
  write?: Transaction[]
  fold?: true
}

/** The thread's answer. */
export interface JobAnswer {
  id: number
  results: JobResult[]
}

/** Jobs that came in one turn of the event loop cross together: a message costs more than most jobs. Null: it is to end. */
export type Message = Job[] | null

export const tooLate: JobError = { kind: 'expired', message: 'too late to be written' }

/** Whether its time is over. */
export function isOver({ expiresAtMs }: Transaction, nowMs: number): boolean {
  return expiresAtMs !== undefined && nowMs > expiresAtMs
}

/** Back on the main thread: the class that belongs to the name. */
export function toStoreError({ kind, message }: JobError): StoreError {
  if (kind === 'unique') return new UniqueViolation(message)
  if (kind === 'conflict') return new Conflict(message)
  if (kind === 'expired') return new Expired(message)
  if (kind === 'moved') return new StoreMoved(message)
  return new StoreError(message)
}
