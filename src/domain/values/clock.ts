/** Time comes in as an argument, so that tests decide what it is. */
export interface Clock {
  /** Epoch milliseconds: for what is written down. */
  now(): number
  /** Milliseconds that never run backwards, and are the same in all processes of one boot: for limits and durations. */
  monotonic(): number
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => Number(process.hrtime.bigint()) / 1e6 }
