/** Time comes in as an argument, so that tests decide what it is. */
export interface Clock {
  /** Epoch milliseconds: for what is written down. */
  now(): number
  /** Milliseconds that never run backwards, and are the same in all processes of one boot: for limits and durations. */
  monotonic(): number
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => Number(process.hrtime.bigint()) / 1e6 }

/** A clock that ignores being set forward from now on: for what must not be missed because it looks too old. */
export function notSetForward(clock: Clock): Clock {
  const aheadMs = clock.now() - clock.monotonic()
  return { ...clock, now: () => Math.min(clock.now(), clock.monotonic() + aheadMs) }
}
