import t from 'tap'
import type { Run } from '../../../src/domain/runs/run.ts'
import { RunHub } from '../../../src/lifecycle/ledger/hub.ts'
import { InvokedPolls } from '../../../src/lifecycle/ledger/invoked-polls.ts'
import type { Upstreams } from '../../../src/upstream/provider.ts'
import { manualClock } from '../../support/clock.ts'
import { ledgerWorld } from '../../support/ledger/world.ts'
import { runOf } from '../../support/push/events.ts'
import { manualTiming } from '../../support/timing.ts'
import { until } from '../../support/until.ts'

/** Polls of runs at a vendor with this quota a minute, by a clock that moves when it is told to. */
async function world(rows: Run[], { quota = 6_000, breaker = 'closed' }: { quota?: number; breaker?: string } = {}) {
  const clock = manualClock()
  const timing = manualTiming(clock)
  const hub = new RunHub({ error() {} })
  const state = {
    rows,
    awaited: new Set<string>(),
    asked: [] as string[],
    hanging: [] as (() => void)[],
    isHanging: false,
    reading: null as Promise<void> | null
  }
  const upstream = { status: () => ({ budget: { quota, windowMs: 60_000 }, breaker }) }
  const polls = new InvokedPolls({
    upstreams: new Map([['default', upstream]]) as unknown as Upstreams,
    hub,
    runs: {
      async open() {
        const { rows } = state
        await state.reading
        return rows
      }
    },
    liveWaits: { isAwaited: ({ id }) => state.awaited.has(id) },
    async refresh({ id }) {
      state.asked.push(id)
      if (state.isHanging) await new Promise<void>(resolve => state.hanging.push(resolve))
      throw new Error('the vendor fails')
    },
    bounded: work => work(new AbortController().signal),
    clock,
    timing
  })
  polls.begin()
  await polls.refresh()
  /** Time that goes by, and what is asked meanwhile. */
  async function pass(ms: number): Promise<string[]> {
    const before = state.asked.length
    await timing.pass(ms)
    return state.asked.slice(before)
  }
  const commit = (...runs: Run[]): void => hub.committed(runs.map(run => ({ run, events: [] })))
  return { state, polls, pass, commit, timing }
}

const invoked = (id: string, more: Partial<Run> = {}): Run =>
  runOf({ id, livestreamId: `of ${id}`, meetingId: `m ${id}`, status: 'invoked', liveAtMs: null, ...more })
const several = (count: number): Run[] => Array.from({ length: count }, (_, i) => invoked(String(i)))

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test(
  'a run is asked for each three seconds while it is INVOKED, also when looks fail, and not any more then',
  async t => {
    const one = invoked('a')
    const { pass, commit, timing } = await world([
      one,
      runOf({ livestreamId: 'live' }),
      invoked('b', { livestreamId: null })
    ])
    t.strictSame(await pass(2_999), [])
    t.strictSame(await pass(6_001), ['of a', 'of a', 'of a'])
    commit({ ...one, status: 'live', revision: 2 })
    t.strictSame(await pass(9_000), [])
    t.equal(timing.pauses, 0, 'no timer goes')
  }
)

t.test('no timer goes while nothing is INVOKED, and a run that begins is asked for from then on', async t => {
  const { pass, commit, timing } = await world([])
  t.equal(timing.pauses, 0)
  await pass(10_000)
  commit(invoked('a'))
  t.strictSame(await pass(2_999), [])
  t.strictSame(await pass(1), ['of a'])
})

t.test(
  'the rows say what another process has begun and ended, and older rows than the news change nothing',
  async t => {
    const { state, polls, pass, commit } = await world([invoked('a')])
    state.rows = [invoked('b')]
    await polls.refresh()
    t.strictSame(await pass(3_000), ['of b'])
    const { promise, resolve } = Promise.withResolvers<void>()
    state.reading = promise
    const reading = polls.refresh()
    commit(invoked('c'), { ...invoked('b'), status: 'live', revision: 2 })
    resolve()
    await reading
    t.strictSame(await pass(3_000), ['of c'])
  }
)

t.test('more runs than a fifth of the quota carries are asked for evenly slower', async t => {
  // A minute of 300 calls: one look a second.
  const { pass } = await world(several(12), { quota: 300 })
  await pass(3_000)
  const asked = await pass(60_000)
  t.ok(asked.length >= 58 && asked.length <= 61, `${asked.length}`)
  const times = Object.values(Object.groupBy(asked, id => id)).map(some => some?.length ?? 0)
  t.equal(times.length, 12)
  t.ok(Math.max(...times) - Math.min(...times) <= 1, times.join())
})

t.test('a quota that carries less than a look each three seconds is kept to', async t => {
  // A look in thirty seconds.
  const { pass } = await world(several(2), { quota: 10 })
  await pass(3_000)
  t.strictSame(await pass(120_000), ['of 1', 'of 0', 'of 1', 'of 0'])
})

t.test('a run that a caller waits for comes first', async t => {
  const { state, pass } = await world(several(12), { quota: 300 })
  state.awaited.add('m 7')
  await pass(3_000)
  const asked = await pass(30_000)
  t.ok(asked.filter(id => id === 'of 7').length >= 9, asked.join())
})

t.test('a vendor that fails, hangs or is not configured is not pressed', async t => {
  const failing = await world([invoked('a')], { breaker: 'open' })
  t.strictSame(await failing.pass(9_000), [])
  const gone = await world([invoked('a', { upstream: 'second' })])
  t.strictSame(await gone.pass(9_000), [])
  const hanging = await world(several(40))
  hanging.state.isHanging = true
  await hanging.pass(30_000)
  t.equal(hanging.state.asked.length, 16)
  hanging.state.hanging.shift()?.()
  t.equal((await hanging.pass(1)).length, 1, 'one that ends makes room for another')
})

t.test('one look that shows nothing of a run that we have begun a moment ago changes nothing', async t => {
  const config = { reconcileMs: 3_600_000 }
  const { start, runs, upstream, simulator, store } = await ledgerWorld(t, {
    config,
    simulator: { liveAfterMs: 600_000 }
  })
  const { id } = (await start()).json().data
  const livestream = { id, status: 'IDLE', meeting_id: null }
  const paging = { total_count: 0, start_offset: 0, end_offset: 0 }
  const body = { success: true, data: { livestream, sessions: [], paging } }
  simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 200, body })
  await until(() => upstream().filter(call => call.startsWith(`GET /v2/livestreams/${id}`)).length === 2)
  t.match(await runs(), [{ status: 'invoked', quietLooks: 0 }])
  t.match(await store.engine.read(store.sql.selectFrom('livestreams').select('status').compile()), [
    { status: 'INVOKED' }
  ])
})

t.test('a start of ours is known to be on air without a read, a list and a webhook', async t => {
  const config = { reconcileMs: 3_600_000 }
  const { start, runs, upstream } = await ledgerWorld(t, { config, simulator: { liveAfterMs: 1_000 } })
  const { id } = (await start()).json().data
  await until(async () => (await runs())[0]?.status === 'live')
  t.match(await runs(), [{ playbackUrl: /^https:/, sessionId: String }])
  t.ok(upstream().includes(`GET /v2/livestreams/${id}?page_no=1&per_page=25`), upstream().join())
})
