import { mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { LivestreamSession } from '../../../src/domain/livestream.ts'
import { UpstreamTooLate } from '../../../src/domain/refusals/failures.ts'
import type { EndingRuns } from '../../../src/lifecycle/running/ending-runs.ts'
import type { Provider } from '../../../src/upstream/provider.ts'
import { runOf } from '../../support/broadcast/reconciling.ts'
import { manualClock } from '../../support/clock.ts'
import { endingRunsOf } from '../../support/ending-runs.ts'

const soon = (): AbortSignal => AbortSignal.timeout(60_000)
const meeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }

/** A stop that the vendor has confirmed by its own clock, and its livestream with these runs; times are seconds since the stop. */
function confirmed(
  runs: (at: (seconds: number) => string) => Partial<LivestreamSession>[],
  how: { total?: number; dateMs?: number | null; answer?: Promise<void> } = {}
) {
  const clock = manualClock()
  const stoppedAtMs = Math.floor(clock.now() / 1_000) * 1_000
  const warnings: string[] = []
  const again: string[] = []
  const endingRuns = endingRunsOf(clock, {
    async stopAgain({ meeting }) {
      again.push(meeting.id)
      return true
    },
    vendorNowMs: () => clock.now(),
    log: { warn: (_, message) => warnings.push(message) }
  })
  endingRuns.stopped(meeting, how.dateMs === undefined ? stoppedAtMs : how.dateMs)
  const at = (seconds: number) => new Date(stoppedAtMs + seconds * 1_000).toISOString()
  const sessions = runs(at).map((run, i) => ({ id: `s${i}`, ...run }))
  const paging = { total_count: how.total ?? sessions.length, start_offset: 0, end_offset: sessions.length }
  let asked = 0
  const provider = {
    async findLivestream() {
      asked += 1
      await how.answer
      return { livestream: runOf('a1'), sessions, paging }
    }
  }
  return {
    clock,
    warnings,
    again,
    asked: () => asked,
    isRecent: () => endingRuns.isRecent(meeting),
    isEnding: (signal = soon()) =>
      endingRuns.isEnding(meeting, { id: 'a1' }, provider as unknown as Provider, true, signal)
  }
}

/** For ten seconds it is not live, and nobody says what it is; then it is live again, and the operator is told. */
async function isUntold(t: Pick<Test, 'equal' | 'ok' | 'match' | 'strictSame'>, seen: ReturnType<typeof confirmed>) {
  const { clock, isEnding, isRecent, warnings, again } = seen
  clock.advance(4_000)
  t.equal(await isEnding(), 'maybe')
  clock.advance(5_999)
  t.equal(await isEnding(), 'maybe')
  t.strictSame(warnings, [])
  clock.advance(1)
  t.equal(await isEnding(), false)
  t.ok(isRecent(), 'the stop is not forgotten')
  clock.advance(60_000)
  t.equal(await isEnding(), false)
  t.match(warnings, [/nothing tells whether it is the same run/])
  t.equal(warnings.length, 1)
  t.strictSame(again, [], 'nothing is sent')
}

t.test('a run that only went on air after the stop may be the one that was stopped', async t => {
  await isUntold(
    t,
    confirmed(at => [{ invoked_time: null, started_time: at(2), created_at: at(2) }])
  )
})

t.test('a run that began after the stop is another one', async t => {
  const { clock, isEnding, isRecent } = confirmed(at => [{ invoked_time: at(2), started_time: at(3) }])
  clock.advance(4_000)
  t.equal(await isEnding(), false)
  t.notOk(isRecent())
})

t.test('a run that began before the stop is the one that was stopped', async t => {
  const { clock, isEnding, again } = confirmed(at => [{ invoked_time: at(-60) }])
  clock.advance(29_999)
  t.equal(await isEnding(), true)
  clock.advance(1)
  t.equal(await isEnding(), false)
  t.strictSame(again, ['m1'])
  clock.advance(30_000)
  t.equal(await isEnding(), false)
  t.strictSame(again, ['m1'], 'once: that stop is repeated by itself')
})

t.test('other answers tell when a stop was where its own has no Date, or one that contradicts all others', async t => {
  for (const dateMs of [null, Date.parse('2099-12-31T00:00:00.000Z')]) {
    const { clock, isEnding, again } = confirmed(at => [{ invoked_time: at(-60) }], { dateMs })
    clock.advance(30_000)
    t.equal(await isEnding(), false)
    t.strictSame(again, ['m1'])
    const newer = confirmed(at => [{ invoked_time: at(2) }], { dateMs })
    newer.clock.advance(4_000)
    t.equal(await newer.isEnding(), false)
    t.notOk(newer.isRecent())
  }
})

t.test('nothing tells which run goes on where not all are shown, and none of those does', async t => {
  const over = (at: (seconds: number) => string) => [{ invoked_time: at(2), stopped_time: at(3) }]
  await isUntold(t, confirmed(over, { total: 11 }))
  const { clock, isEnding, isRecent } = confirmed(over)
  clock.advance(4_000)
  t.equal(await isEnding(), false, 'all of them show a newer one')
  t.notOk(isRecent())
})

t.test('a run that is over, and one that the vendor could not be asked about, prove no end', async t => {
  const over = confirmed(at => [{ invoked_time: at(-60), stopped_time: at(-1) }])
  t.equal(await over.isEnding(), 'maybe')
  const unasked = confirmed(at => [{ invoked_time: at(-60) }], { answer: Promise.reject(new UpstreamTooLate()) })
  t.equal(await unasked.isEnding(), 'maybe')
  for (const { clock, isEnding, again } of [over, unasked]) {
    clock.advance(29_999)
    t.equal(await isEnding(), 'maybe', 'as long as it may be shown')
    clock.advance(1)
    t.equal(await isEnding(), false)
    t.strictSame(again, [], 'nothing is sent')
  }
})

t.test(
  'a run that began when another one had ended, not long before the stop, may be newer: its clock may be behind',
  async t => {
    const behind = confirmed(at => [{ invoked_time: at(-60), stopped_time: at(-9.9) }, { invoked_time: at(-8) }])
    behind.clock.advance(29_999)
    t.equal(await behind.isEnding(), 'maybe')
    behind.clock.advance(1)
    t.equal(await behind.isEnding(), false)
    t.match(behind.warnings, [/nothing tells whether it is the same run/])
    t.strictSame(behind.again, [], 'nothing is sent')

    const proved: [what: string, endedAfter: number][] = [
      ['that one ended long before', -11],
      ['it went on beside that one', -2]
    ]
    for (const [what, endedAfter] of proved) {
      const { clock, isEnding, again } = confirmed(at => [
        { invoked_time: at(-60), stopped_time: at(endedAfter) },
        { invoked_time: at(-8) }
      ])
      t.equal(await isEnding(), true, what)
      clock.advance(30_000)
      await isEnding()
      t.strictSame(again, ['m1'], what)
    }
  }
)

t.test('a look waits for the answer about a run no longer than its own deadline, and the question goes on', async t => {
  const { promise: answer, resolve } = Promise.withResolvers<void>()
  const { isEnding, asked } = confirmed(at => [{ invoked_time: at(-60) }], { answer })
  t.equal(await isEnding(AbortSignal.abort()), 'maybe')
  resolve()
  t.equal(await isEnding(), true)
  t.equal(asked(), 1)
})

t.test('a vendor that does not answer which run it is: one warning, and a look each half minute', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const clock = manualClock()
  const [looksAtMs, warnings]: [number[], string[]] = [[], []]
  const provider = {
    async findLivestream() {
      throw new UpstreamTooLate()
    }
  }
  const endingRuns: EndingRuns = endingRunsOf(clock, {
    async stopAgain() {
      throw new Error('it is not known to be the same run')
    },
    async look() {
      looksAtMs.push(clock.monotonic())
      await endingRuns.isEnding(meeting, { id: 'a1' }, provider as unknown as Provider, true, soon())
      return { livestream: {} }
    },
    log: { warn: (_, message) => warnings.push(message) }
  })
  endingRuns.stopped(meeting, null)
  for (let passedMs = 0; passedMs < 155_000; passedMs += 50) {
    clock.advance(50)
    mock.timers.tick(50)
    await turn()
  }
  // After five seconds, and after the time to settle; then it was to have ended.
  t.strictSame(
    looksAtMs.map((atMs, i) => atMs - (looksAtMs[i - 1] ?? 0)),
    [5_050, 25_000, 30_050, 30_050, 30_050, 30_050]
  )
  t.strictSame(warnings, ['a livestream that was stopped still goes on: the vendor does not answer which run it is'])
})

t.test('a start that is settled late forgets no stop that came after it', async t => {
  const clock = manualClock()
  const endingRuns = endingRunsOf(clock)
  clock.advance(10_000)
  endingRuns.stopped(meeting, null)
  clock.advance(2_000)
  endingRuns.started(meeting, 2_001)
  t.ok(endingRuns.isRecent(meeting), 'it was sent before the stop')
  const elsewhere = { ...meeting, upstream: 'other' }
  t.notOk(endingRuns.isRecent(elsewhere), 'nothing was stopped at another vendor account')
  endingRuns.started(elsewhere)
  t.ok(endingRuns.isRecent(meeting), 'nor is it started by that')
  endingRuns.started(meeting, 1_999)
  t.notOk(endingRuns.isRecent(meeting), 'it was sent after the stop')

  endingRuns.unconfirmed(meeting)
  clock.advance(2_000)
  endingRuns.started(meeting, 2_001)
  t.ok(endingRuns.mayEnd(meeting), 'also where nobody has confirmed it')
  endingRuns.started(meeting, 1_999)
  t.notOk(endingRuns.mayEnd(meeting))
})
