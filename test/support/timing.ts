import type { Timing } from '../../src/domain/values/clock.ts'
import type { ManualClock } from './clock.ts'

interface Pause {
  dueAtMs: number
  callback(): void
}

/** Pauses that end when their time has come on a clock that moves when it is told to. */
export interface ManualTiming extends Timing {
  /** Moves the clock, through each pause that ends meanwhile. */
  pass(ms: number): Promise<void>
  /** Pauses that go on. */
  readonly pauses: number
}

/** All that follows of itself: promises, and what they begin. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve))
}

export function manualTiming(clock: ManualClock): ManualTiming {
  const pauses = new Set<Pause>()
  return {
    now: clock.monotonic,
    after(pauseMs, callback) {
      const pause = { dueAtMs: clock.monotonic() + pauseMs, callback }
      pauses.add(pause)
      return () => pauses.delete(pause)
    },
    async pass(ms) {
      const untilMs = clock.monotonic() + ms
      await turns()
      for (;;) {
        const [next] = [...pauses].filter(({ dueAtMs }) => dueAtMs <= untilMs).sort((a, b) => a.dueAtMs - b.dueAtMs)
        if (next === undefined) break
        clock.advance(Math.max(0, next.dueAtMs - clock.monotonic()))
        pauses.delete(next)
        next.callback()
        await turns()
      }
      clock.advance(untilMs - clock.monotonic())
    },
    get pauses() {
      return pauses.size
    }
  }
}
