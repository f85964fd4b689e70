import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../../../domain/values/clock.ts'
import { onInterrupt } from '../../process/shutdown.ts'

/** Time and signals: tests hand in their own. */
export interface World {
  clock: Clock
  sleep(ms: number): Promise<unknown>
  /** Calls back at each signal that would end it, which then ends nothing by itself. Gives back what ends this. */
  onInterrupt(interrupt: () => void): () => void
}

export const realWorld: World = {
  clock: systemClock,
  sleep,
  onInterrupt
}
