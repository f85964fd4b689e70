import type { Clock } from '../../src/domain/clock.ts'

export interface ManualClock extends Clock {
  advance(ms: number): void
  /** Only the wall clock: what never runs backwards doesn't. */
  setBack(ms: number): void
}

/** A clock that moves when it is told to. It begins at the real time, since the store's threads have clocks of their own. */
export function manualClock(): ManualClock {
  const startedAtMs = Date.now()
  let passedMs = 0
  let setBackMs = 0
  return {
    now: () => startedAtMs + passedMs - setBackMs,
    monotonic: () => passedMs,
    advance(ms) {
      passedMs += ms
    },
    setBack(ms) {
      setBackMs += ms
    }
  }
}
