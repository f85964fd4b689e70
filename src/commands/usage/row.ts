import type { Io } from '../process/io.ts'

/** An option: how it is typed, what it does, and what is special about it. */
export type OptionRow = readonly [flags: string, about: string, special?: Special]

type Special = { readonly default: string } | 'required' | 'repeatable'

/** A command of the command line. */
export interface CommandRow {
  /** The name, with its arguments: `create <id>`. */
  readonly usage: string
  readonly about: string
  readonly options?: readonly OptionRow[]
  /** Loads what it does, which gets the arguments and then the options. */
  load(): Promise<(io: Io, ...given: never[]) => unknown>
}

/** Commands that have their first word in common; a group may stand in another. */
export interface GroupRow {
  readonly usage: string
  readonly about: string
  readonly commands: readonly (CommandRow | GroupRow)[]
}
