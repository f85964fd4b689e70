import t from 'tap'
import type { Run } from '../../../src/domain/runs/run.ts'
import { RunHub } from '../../../src/lifecycle/ledger/hub.ts'
import { RunWatch, type RunWatchDeps } from '../../../src/lifecycle/ledger/run-watch.ts'
import { manualClock } from '../../support/clock.ts'
import { runOf } from '../../support/push/events.ts'
import { manualTiming } from '../../support/timing.ts'

/** A watch over two vendors, with a clock that moves when it is told to. */
function world(rows: Run[], reconcileMs = 30_000) {
  const clock = manualClock()
  const timing = manualTiming(clock)
  const state = { lists: [] as string[], looks: [] as string[], reads: 0, hangs: '', breaker: 'closed' }
  const upstream = (name: string) => ({
    dedicatedTo: null,
    status: () => ({ budget: { quota: 6_000, windowMs: 60_000 }, breaker: state.breaker }),
    on: () => ({
      async findRunning(signal: AbortSignal) {
        state.lists.push(name)
        if (state.hangs === name)
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        return { livestreams: [], unreadIn: new Set() }
      }
    })
  })
  const deps = {
    upstreams: new Map([
      ['default', upstream('default')],
      ['second', upstream('second')]
    ]),
    runs: {
      async open() {
        state.reads += 1
        return rows
      }
    },
    refresh: async ({ id }: { id: string }) => void state.looks.push(id),
    bounded: (work: (signal: AbortSignal) => unknown) => work(new AbortController().signal),
    knownMeetings: { has: async () => true },
    liveWaits: { isAwaited: () => false },
    log: { info() {}, warn() {} },
    hub: new RunHub({ error() {} }),
    ...{ clock, timing, reconcileMs }
  }
  const watch = new RunWatch(deps as unknown as RunWatchDeps)
  return { state, watch, timing }
}

t.test(
  'without runs that go on the first lists come an interval after the start, and then one of each vendor an interval',
  async t => {
    const { state, watch, timing } = world([])
    watch.begin()
    await timing.pass(29_999)
    t.strictSame(state.lists, [])
    await timing.pass(1)
    t.strictSame(state.lists, ['default', 'second'])
    await timing.pass(60_000)
    t.equal(state.lists.length, 6)
    t.strictSame(state.looks, [])
    await watch.close()
    await timing.pass(60_000)
    t.equal(state.lists.length, 6, 'nothing more is asked when the gateway ends')
  }
)

t.test('runs that an earlier process has left are compared at once, and each is asked for', async t => {
  const { state, watch, timing } = world([
    runOf({ livestreamId: 'a' }),
    runOf({ livestreamId: 'b', upstream: 'second' })
  ])
  watch.begin()
  await timing.pass(0)
  t.strictSame(state.lists, ['default', 'second'])
  t.strictSame(state.looks.sort(), ['a', 'b'])
  await watch.close()
})

t.test('a vendor that hangs holds up no other one, and is not asked twice at a time', async t => {
  const { state, watch, timing } = world([])
  state.hangs = 'default'
  watch.begin()
  await timing.pass(90_000)
  t.strictSame(state.lists.sort(), ['default', 'second', 'second', 'second'])
  await watch.close()
})

t.test('a vendor whose breaker is open is left alone', async t => {
  const { state, watch, timing } = world([runOf()])
  state.breaker = 'open'
  watch.begin()
  await timing.pass(90_000)
  t.strictSame(state.lists, [])
  await watch.close()
})

t.test('with an interval of 0 nothing is looked at', async t => {
  const { state, watch, timing } = world([runOf()], 0)
  watch.begin()
  await timing.pass(90_000)
  t.strictSame([state.lists, state.reads], [[], 0])
  await watch.close()
})
