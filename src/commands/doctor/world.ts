import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../../domain/clock.ts'

/** Time, and who may interrupt: tests hand in their own. */
export interface World {
  clock: Clock
  sleep(ms: number): Promise<unknown>
  /** Calls back at SIGINT and SIGTERM, which then end nothing by themselves. Gives back what ends this. */
  onInterrupt(interrupt: () => void): () => void
}

export const realWorld: World = {
  clock: systemClock,
  sleep,
  onInterrupt(interrupt) {
    const signals = ['SIGINT', 'SIGTERM'] as const
    for (const signal of signals) process.on(signal, interrupt)
    return () => {
      for (const signal of signals) process.off(signal, interrupt)
    }
  }
}
