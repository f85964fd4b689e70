import type { Run } from '../../domain/runs/run.ts'
import type { Statement } from '../../store/engine/engine.ts'

/** Moves for the transaction of the operation that makes some news true. */
export interface Prepared {
  /** The run of the operation, as it will be; null where the store does not tell. */
  run: Run | null
  /** They change nothing where the run was moved meanwhile, and let no transaction fail. */
  statements: Statement[]
  /** To be called when the transaction has ended, however it did: notes the same news, which finds what is written already. */
  committed(): Promise<void>
}

/** The row of a start, for the transaction of its intent. */
export interface PreparedStart {
  rows: Statement[]
  /** They end the row of a start whose intent was written too late: it is not sent. */
  unsent: Statement[]
  /** To be called when the intent stands. */
  sent(): void
}
