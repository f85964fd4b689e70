import t from 'tap'
import type { Run } from '../../../src/domain/run.ts'
import { InvokedPolls } from '../../../src/lifecycle/ledger/invoked-polls.ts'
import type { Upstreams } from '../../../src/upstream/provider.ts'
import { manualClock } from '../../support/clock.ts'
import { ledgerWorld } from '../../support/ledger/world.ts'
import { runOf } from '../../support/push/events.ts'
import { until } from '../../support/until.ts'

/** Polls of runs at a vendor with this quota a minute, by a clock that moves when it is told to. */
function world(runs: Run[], { quota = 6_000, breaker = 'closed' }: { quota?: number; breaker?: string } = {}) {
  const clock = manualClock()
  const state = {
    runs,
    awaited: new Set<string>(),
    breaker,
    isHanging: false,
    asked: [] as string[],
    atMs: [] as number[]
  }
  const upstream = { status: () => ({ budget: { quota, windowMs: 60_000 }, breaker: state.breaker }) }
  const polls = new InvokedPolls({
    upstreams: new Map([['default', upstream]]) as unknown as Upstreams,
    openRuns: { all: () => state.runs },
    liveWaits: { isAwaited: ({ id }) => state.awaited.has(id) },
    async refresh({ id }) {
      state.asked.push(id)
      state.atMs.push(clock.monotonic())
      if (state.isHanging) await new Promise(() => {})
      throw new Error('the vendor fails')
    },
    bounded: work => work(new AbortController().signal),
    clock
  })
  /** Rounds of so long, with what they ask. */
  async function pass(ms: number): Promise<string[]> {
    const before = state.asked.length
    for (let passed = 0; passed < ms; passed += 100) {
      polls.round()
      await new Promise(resolve => setImmediate(resolve))
      clock.advance(100)
    }
    return state.asked.slice(before)
  }
  return { state, polls, pass }
}

const invoked = (id: string, more: Partial<Run> = {}): Run =>
  runOf({ id, livestreamId: `of ${id}`, meetingId: `m ${id}`, status: 'invoked', liveAtMs: null, ...more })

t.test(
  'a run is asked for every three seconds while it is INVOKED, also when a look fails, and not any more then',
  async t => {
    const { state, polls, pass } = world([
      invoked('a'),
      runOf({ livestreamId: 'live' }),
      invoked('b', { livestreamId: null })
    ])
    t.strictSame(await pass(3_000), [])
    t.strictSame(await pass(9_000), ['of a', 'of a', 'of a'])
    state.runs = [runOf({ id: 'a', livestreamId: 'of a' })]
    t.strictSame(await pass(9_000), [])
    await polls.idle()
  }
)

t.test('more runs than a fifth of the quota carries are asked for evenly slower', async t => {
  // A minute of 300 calls: one look a second.
  const { pass } = world(
    Array.from({ length: 12 }, (_, i) => invoked(String(i))),
    { quota: 300 }
  )
  await pass(3_000)
  const asked = await pass(60_000)
  t.ok(asked.length >= 57 && asked.length <= 63, `${asked.length}`)
  const times = Object.values(Object.groupBy(asked, id => id)).map(some => some?.length ?? 0)
  t.equal(times.length, 12)
  t.ok(Math.max(...times) - Math.min(...times) <= 1, times.join())
})

t.test('a run that a caller waits for comes first', async t => {
  const { state, pass } = world(
    Array.from({ length: 12 }, (_, i) => invoked(String(i))),
    { quota: 300 }
  )
  state.awaited.add('m 7')
  await pass(3_000)
  const asked = await pass(30_000)
  t.ok(asked.filter(id => id === 'of 7').length >= 9, asked.join())
})

t.test('a vendor that fails, hangs or is not configured is not pressed', async t => {
  const failing = world([invoked('a')], { breaker: 'open' })
  t.strictSame(await failing.pass(9_000), [])
  const gone = world([invoked('a', { upstream: 'second' })])
  t.strictSame(await gone.pass(9_000), [])
  const hanging = world(Array.from({ length: 40 }, (_, i) => invoked(String(i))))
  hanging.state.isHanging = true
  await hanging.pass(30_000)
  t.equal(hanging.state.asked.length, 16)
})

t.test('a start of ours is known to be on air without a read and without a webhook', async t => {
  const config = { reconcileMs: 3_600_000 }
  const { start, runs, upstream } = await ledgerWorld(t, { config, simulator: { liveAfterMs: 1_000 } })
  const { id } = (await start()).json().data
  await until(async () => (await runs())[0]?.status === 'live')
  t.match(await runs(), [{ playbackUrl: /^https:/, sessionId: String }])
  t.ok(
    upstream().some(call => call.startsWith(`GET /v2/livestreams/${id}?`)),
    upstream().join()
  )
})
