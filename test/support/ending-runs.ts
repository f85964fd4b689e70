import { EndingRuns, type EndingRunsDeps } from '../../src/lifecycle/running/ending-runs.ts'

/** Stopped runs as a gateway remembers them, at a vendor that shows nothing and tells no time, unless said otherwise. */
export function endingRunsOf(clock: EndingRunsDeps['clock'], how: Partial<EndingRunsDeps> = {}): EndingRuns {
  return new EndingRuns({
    stopAgain: async () => true,
    look: async () => ({ livestream: null }),
    vendorNowMs: () => null,
    log: { warn() {} },
    clock,
    settleMs: 30_000,
    ...how
  })
}
