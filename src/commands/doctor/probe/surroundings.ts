import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../../../domain/values/clock.ts'
import { onInterrupt } from '../../process/shutdown.ts'

/** Time and signals: tests hand in their own. */
export interface Surroundings {
  clock: Clock
  sleep(ms: number): Promise<unknown>
  /** Calls back at each signal that would end it, which then ends nothing by itself. Gives back what ends this. */
  onInterrupt(interrupt: () => void): () => void
}

export const realSurroundings: Surroundings = {
  clock: systemClock,
  sleep,
  onInterrupt
}
