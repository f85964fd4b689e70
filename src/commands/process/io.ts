import type { Environment } from '../../config/config.ts'
import type { StoreHome } from '../../domain/store-home.ts'
import type { Store } from '../../store/store.ts'

/** The part of the world that a command may touch. Tests hand in their own. */
export interface Io {
  env: Environment
  out(text: string): void
  err(text: string): void
  /** Shows a line in the place of the one before. Absent where standard error is no terminal. */
  progress?(line: string): void
  /** Shows a text in the place of all before. Absent where standard output is no terminal. */
  screen?(text: string): void
  /** Hears each signal to end; without it a signal ends the command. Gives back what ends this. */
  onInterrupt?(interrupt: () => void): () => void
  /** For much output: resolves when there is room for more. */
  write(text: string): Promise<void>
  /** @throws StoreError */
  openStore(home: StoreHome): Promise<Store>
  /** One moment of a store, to be looked at. @throws StoreError */
  openSnapshot(home: StoreHome): Promise<Store>
}

/** Wrong usage: one line on standard error, exit code 2. */
export class UsageError extends Error {}

/** The command was understood, but could not be done: one line on standard error, exit code 1. */
export class CommandError extends Error {
  readonly exitCode: number = 1
}

/** The audit log holds, but for what is on record as lost: one line on standard error, exit code 3. */
export class LossOnRecord extends CommandError {
  override readonly exitCode = 3
}

/** It is ordered, and not all of it is done: one line on standard error, exit code 3. */
export class PartlyDone extends CommandError {
  override readonly exitCode = 3
}

/** A signal has ended the wait for what goes on: one line on standard error, exit code 130, as a shell has it. */
export class Interrupted extends CommandError {
  override readonly exitCode = 130
}

/** `--json`, which every command takes. */
export interface JsonOption {
  json?: boolean
}

const maxNameLength = 200

/** A name for people stands in one cell of a table. @throws UsageError */
export function checkName(name: string | undefined): void {
  const plain = name === undefined || (name.trim() !== '' && name.length <= maxNameLength && !/\p{Cc}/u.test(name))
  if (!plain) throw new UsageError(`--name must have 1 to ${maxNameLength} characters, on one line`)
}

/** One JSON line with `--json`, else the text for people. */
export function print(io: Io, { json }: JsonOption, value: unknown, text: string): void {
  io.out(json ? JSON.stringify(value) : text)
}

/** Columns for people, the widths by their content. */
export function table(rows: string[][], empty: string): string {
  if (rows.length <= 1) return empty
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? []
  return rows
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

/** A text from the first place of a terminal on. The rest of what was there is erased behind it, so that nothing flickers. */
export function inPlace(text: string): string {
  return `\u001b[H${text.replaceAll('\n', '\u001b[K\n')}\u001b[K\n\u001b[J`
}

/** ISO 8601 without the milliseconds, or a dash. */
export function when(ms: number | null): string {
  return ms === null ? '-' : new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
}
