import { mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { EndingRuns } from '../../../src/lifecycle/running/ending-runs.ts'
import type { Provider } from '../../../src/upstream/provider.ts'
import type { TestContext } from '../../support/broadcast/reconciling.ts'
import { manualClock } from '../../support/clock.ts'
import { endingRunsOf } from '../../support/ending-runs.ts'

const meeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }

/** A stop that was confirmed just now; the test holds the time, and what a look comes to. */
function confirmed(t: TestContext, follow = (endingRuns: EndingRuns): unknown => endingRuns.stopped(meeting, null)) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const clock = manualClock()
  const vendor: { fails: boolean; shown: object | null } = { fails: true, shown: null }
  const looksAtMs: number[] = []
  const endingRuns = endingRunsOf(clock, {
    async look() {
      looksAtMs.push(clock.monotonic())
      if (vendor.fails) throw new Error('the vendor is away')
      return { livestream: vendor.shown }
    }
  })
  follow(endingRuns)
  return {
    endingRuns,
    vendor,
    /** Since the last look, or the stop. */
    pauses: () => looksAtMs.map((atMs, i) => atMs - (looksAtMs[i - 1] ?? 0)),
    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 50) {
        clock.advance(50)
        mock.timers.tick(50)
        await turn()
      }
    }
  }
}

t.test(
  'a look that follows a confirmed stop and fails is repeated, after pauses that grow up to half a minute',
  async t => {
    const { pass, pauses } = confirmed(t)
    await pass(130_000)
    t.strictSame(pauses(), [5_050, 1_050, 2_050, 4_050, 8_050, 16_050, 30_050, 30_050, 30_050])
  }
)

t.test('two looks that show nothing, the second after the time to settle, are the last ones', async t => {
  const { pass, pauses, vendor } = confirmed(t)
  await pass(8_000)
  vendor.fails = false
  await pass(120_000)
  t.strictSame(pauses(), [5_050, 1_050, 2_050, 21_900])
})

t.test('they are at least 5 s apart', async t => {
  const { pass, pauses, vendor } = confirmed(t)
  await pass(35_000)
  vendor.fails = false
  await pass(120_000)
  t.strictSame(pauses(), [5_050, 1_050, 2_050, 4_050, 8_050, 16_050, 5_050])
})

t.test('a start ends the looks that follow a confirmed stop', async t => {
  const { endingRuns, pass, pauses } = confirmed(t)
  await pass(6_000)
  endingRuns.started(meeting)
  await pass(60_000)
  t.strictSame(pauses(), [5_050])
})

t.test(
  'a look that waits behind those of other meetings goes ahead when a reader sees that the run goes on',
  async t => {
    const recalled = { agoMs: 60_000, dateMs: 10_000, followInMs: 20_000 }
    const { endingRuns, pass, pauses } = confirmed(t, endingRuns => endingRuns.recall(meeting, recalled))
    await pass(1_000)
    const run = { id: 's1', invoked_time: new Date(5_000).toISOString() }
    const paging = { total_count: 1 }
    const signal = new AbortController().signal
    const provider = { findLivestream: async () => ({ livestream: { id: 'l1' }, sessions: [run], paging }) }
    t.equal(await endingRuns.isEnding(meeting, { id: 'l1' }, provider as unknown as Provider, false, signal), false)
    await pass(3_000)
    t.strictSame(pauses(), [1_550, 1_050], 'it is asked soon, and again after a pause when that fails')
  }
)
