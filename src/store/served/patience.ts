import { StoreError } from '../engine/engine.ts'

/** A gateway serves the store: one store, one gateway. */
export class ServedAlready extends StoreError {}

/** Wait for a gateway that serves the store. */
export interface Patience {
  /** Longest wait for one that lives, since it may be ending. */
  waitMs: number
  /** Told once when there is one to wait for. */
  onWait(): void
  monotonic(): number
  pause?(ms: number): Promise<unknown>
}

/** A gateway that is silent for the time of three beats counts as gone. */
export const silentForMs = 6_000
