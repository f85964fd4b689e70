import type { Clock } from '../../src/domain/values/clock.ts'

/** A clock whose wall time can be set, by an operator or by NTP, while what never runs backwards goes on. */
export interface SteppedClock extends Clock {
  /** Only the wall clock: by so much, or back by so much. */
  step(ms: number): void
}

export interface ManualClock extends SteppedClock {
  advance(ms: number): void
}

export const hourMs = 3_600_000
export const dayMs = 86_400_000

/** Steps by which a clock is set under the guarantees. */
export const steps = [-3 * dayMs, -hourMs, hourMs, 3 * dayMs] as const

/** A clock that runs as the machine's does, and whose wall time can be set. */
export function steppedClock(): SteppedClock {
  let aheadMs = 0
  return {
    now: () => Date.now() + aheadMs,
    monotonic: () => performance.now(),
    step(ms) {
      aheadMs += ms
    }
  }
}

/** A clock that moves when it is told to. It begins at the real time, since commands have clocks of their own. */
export function manualClock(): ManualClock {
  const startedAtMs = Date.now()
  let passedMs = 0
  let aheadMs = 0
  return {
    now: () => startedAtMs + passedMs + aheadMs,
    monotonic: () => passedMs,
    advance(ms) {
      passedMs += ms
    },
    step(ms) {
      aheadMs += ms
    }
  }
}
