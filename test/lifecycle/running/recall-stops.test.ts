import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { startGateway } from '../../../src/gateway.ts'
import { recallStops } from '../../../src/lifecycle/running/recall-stops.ts'
import type { Recalled } from '../../../src/lifecycle/running/verdict.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import type { SimulatorOptions } from '../../../src/simulator/simulator.ts'
import type { Store } from '../../../src/store/store.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { reconciling, type TestContext as WithStore } from '../../support/broadcast/reconciling.ts'
import { hourMs, manualClock, steps } from '../../support/clock.ts'
import { type Client, client, configFor, gateway, type TestContext } from '../../support/gateway.ts'
import { openStoreHere } from '../../support/store.ts'
import { until } from '../../support/until.ts'

/** A gateway on one clock with its vendor, and another one on the same store after it. */
async function world(t: TestContext, options: SimulatorOptions) {
  const clock = manualClock()
  const begunAtMs = clock.now()
  // So long that no step of the clock makes a call late.
  const own = { deadlineMs: 60_000 }
  // Nobody sets the vendor's clock.
  const simulated = { ...options, now: () => begunAtMs + clock.monotonic() }
  const world = await gateway(t, { clock, slowDisk: true, simulator: simulated, config: own })
  const { simulator, store, storeFile, meeting, withKey, directory } = world
  const { key } = await withKey('acme', presets.owner)
  const calls = (call: Client) => ({
    start: () => call('POST', `/v2/meetings/${meeting}/livestreams`),
    stop: () => call('POST', `/v2/meetings/${meeting}/active-livestream/stop`),
    active: () => call('GET', `/v2/meetings/${meeting}/active-livestream`)
  })
  const stops = store.sql.selectFrom('operations').select('state').where('kind', '=', 'stop').orderBy('ordinal')
  const starts = store.sql.selectFrom('operations').select('state').where('kind', '=', 'start').orderBy('ordinal')
  return {
    ...calls(world.asAcme),
    simulator,
    store,
    meeting,
    directory,
    clock,
    /** The calls of the next gateway. */
    async restart(meanwhile = () => {}) {
      await world.close()
      meanwhile()
      const config = { ...configFor(simulator, storeFile), ...own }
      const next = await startGateway({
        ...{ config, logger: makeLogger('silent'), clock, open: openStoreHere, writeWithinMs: 60_000 }
      })
      t.teardown(() => next.close())
      return calls(client(next.url, `Bearer ${key}`))
    },
    runsOn: () =>
      simulator.livestreams().flatMap(({ sessions }) => sessions.filter(run => run.stopped_time === null)).length,
    startStates: async () => (await store.engine.read(starts.compile())).map(({ state }) => state).join(),
    stopStates: async () => (await store.engine.read(stops.compile())).map(({ state }) => state).join()
  }
}

// They wait, each for a vendor of its own.
t.jobs = 8

t.test('a run that was stopped just before a restart is not LIVE to readers after it, and a start waits', async t => {
  const { start, stop, restart, runsOn, simulator, clock } = await world(t, { stoppingForMs: 20_000 })
  t.equal((await start()).statusCode, 201)
  clock.advance(2_000)
  t.equal((await stop()).statusCode, 200)
  const later = await restart()
  t.equal(runsOn(), 1, 'the vendor shows it')
  t.equal((await later.active()).statusCode, 404)

  const startAndLook = async () => {
    const before = simulator.journal.length
    const starting = later.start()
    await until(() => simulator.journal.length > before)
    return { starting }
  }
  const first = await startAndLook()
  t.equal((await later.stop()).statusCode, 200)
  t.match((await first.starting).json().error, { code: 409, type: 'still_stopping', outcome: 'not_sent' })

  const second = await startAndLook()
  clock.advance(20_000)
  t.equal((await second.starting).statusCode, 201, 'and not the run that was stopped')
  t.equal(simulator.livestreams()[0]?.starts, 2)
})

t.test('a run that was started after the last stop is LIVE to readers after a restart', async t => {
  const { start, stop, restart, clock } = await world(t, {})
  await start()
  clock.advance(2_000)
  t.equal((await stop()).statusCode, 200)
  // Within the same second: its times alone would not tell it from the run before.
  t.equal((await start()).statusCode, 201)
  t.equal((await (await restart()).active()).statusCode, 200)
})

t.test('a stop right after a restart is watched while the run that was started before it may be hidden', async t => {
  const { start, restart, runsOn, stopStates, simulator, clock } = await world(t, {
    ...{ liveAfterMs: 3_000, activeDuringInvoked: '404', stopRefusal: '404' }
  })
  const { id } = (await start()).json().data
  // A run of the same millisecond could be one that has begun after the stop.
  clock.advance(1)
  const later = await restart()
  // The vendor hides it, also from who asks for it by its id.
  simulator.failNext({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 404, body: {} })
  t.equal((await later.stop()).statusCode, 200, 'one look shows nothing')
  t.equal(await stopStates(), 'unknown')
  t.equal(runsOn(), 1)
  await until(() => {
    clock.advance(100)
    return runsOn() === 0
  })
  await until(async () => {
    clock.advance(100)
    return (await stopStates()) === 'done'
  })
})

t.test('a stop is watched after a restart though its start was settled only since', async t => {
  const { start, restart, runsOn, stopStates, simulator, clock, startStates } = await world(t, {
    ...{ liveAfterMs: 3_000, activeDuringInvoked: '404', stopRefusal: '404' }
  })
  simulator.failNext({ match: { method: 'POST', path: '/meetings/*/livestreams' }, afterWork: true, hangUp: true })
  t.equal((await start()).statusCode, 502)
  // No look of before the restart tells.
  simulator.failNext({ match: { method: 'GET' }, status: 503 }, 100)
  t.equal(await startStates(), 'unknown')
  clock.advance(1)
  const later = await restart(() => simulator.clearFaults())
  await until(async () => (await startStates()) === 'done')
  const [{ id = '' } = {}] = simulator.livestreams()
  simulator.failNext({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 404, body: {} })
  t.equal((await later.stop()).statusCode, 200, 'one look shows nothing')
  t.equal(await stopStates(), 'unknown')
  t.equal(runsOn(), 1)
  await until(() => {
    clock.advance(100)
    return runsOn() === 0
  })
})

t.test(
  'a start that an old Date has dated too early is not taken for the run before it, after a restart either',
  async t => {
    const { start, restart, startStates, simulator, meeting, clock, directory } = await world(t, {})
    simulator.end(simulator.startFromBrowser(meeting).id)
    clock.advance(600_000)
    await directory.pull()
    // Its first answer came from a cache.
    const date = new Date(clock.now() - 3_600_000).toUTCString()
    simulator.failNext({ match: { method: 'GET' }, headers: { date } })
    simulator.fail({ match: { method: 'POST' }, hangUp: true })
    t.equal((await start()).statusCode, 502)
    await restart(() => simulator.clearFaults())
    await until(async () => {
      clock.advance(1_000)
      return (await startStates()) !== 'unknown'
    }, 20_000)
    t.equal(await startStates(), 'failed')
  }
)

t.test('a run that somebody wanted after a stop with nothing to stop stays on air after a restart', async t => {
  const { start, stop, restart, runsOn, stopStates, simulator, clock } = await world(t, {
    ...{ liveAfterMs: 3_000, activeDuringInvoked: '404', stopRefusal: '404' }
  })
  const { id } = (await start()).json().data
  clock.advance(1_001)
  simulator.failNext({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 404, body: {} })
  t.equal((await stop()).statusCode, 200, 'one look shows nothing')
  clock.advance(3_000)
  t.equal((await start()).statusCode, 200, 'it shows itself after all, and is wanted')
  t.equal(await stopStates(), 'done')
  const later = await restart()
  t.equal((await later.active()).statusCode, 200)
  t.equal((await later.start()).statusCode, 200)
  t.equal(runsOn(), 1)
})

const stopPath = '/meetings/*/active-livestream/stop'
const ignored = { status: 200, body: { success: true, data: { message: 'Stopped live stream successfully' } } }

t.test('a stop that was confirmed and ignored is sent again though the gateway was away past its time', async t => {
  const { start, stop, restart, runsOn, simulator, clock } = await world(t, {})
  await start()
  clock.advance(2_000)
  simulator.failNext({ match: { path: stopPath }, ...ignored })
  t.equal((await stop()).statusCode, 200)
  await restart(() => clock.advance(50 * 60_000))
  t.equal(runsOn(), 1)
  await until(() => runsOn() === 0)
})

for (const stepMs of steps)
  t.test(
    `a run that is wanted after such a stop stays on air, should the clock be ${stepMs / hourMs} h off`,
    async t => {
      const { start, stop, restart, runsOn, simulator, clock } = await world(t, {})
      await start()
      clock.advance(2_000)
      simulator.failNext({ match: { path: stopPath }, ...ignored })
      t.equal((await stop()).statusCode, 200)
      clock.step(stepMs)
      clock.advance(31_000)
      t.equal((await start()).statusCode, 200, 'the run goes on, and is wanted')
      clock.step(-stepMs)
      const before = simulator.journal.length
      await restart()
      // A look that is overdue would have gone out.
      await pause(1_500)
      t.equal(simulator.journal.length, before)
      t.equal(runsOn(), 1)
    }
  )

t.test("one whose meeting is nobody's by then is not looked after", async t => {
  const { start, stop, restart, runsOn, simulator, store, meeting, clock } = await world(t, {})
  await start()
  clock.advance(2_000)
  simulator.failNext({ match: { path: stopPath }, ...ignored })
  await stop()
  await meetingsIn(store).release(meeting, clock.now())
  const before = simulator.journal.length
  await restart(() => clock.advance(40_000))
  // A look that is overdue would have gone out.
  await pause(1_500)
  t.equal(simulator.journal.length, before)
  t.equal(runsOn(), 1)
})

/** The stops of an earlier gateway that a new one remembers. */
async function recalling(t: WithStore) {
  const { clock, operations, ownStarts, ...rest } = await reconciling(t)
  return {
    ...rest,
    clock,
    ownStarts,
    async recalled() {
      const found: [string, Recalled][] = []
      const endingRuns = { recall: ({ id }: { id: string }, how: Recalled) => found.push([id, how]), unconfirmed() {} }
      await recallStops({ operations, endingRuns, ownStarts, clock, settleMs: 30_000 })
      return found
    }
  }
}
const confirmed = { state: 'done', confirmed: { vendorAtMs: null } } as const

t.test('looks that are overdue after a restart go out one a second, and only where stop was the last word', async t => {
  const { sent, clock, recalled } = await recalling(t)
  for (const meetingId of ['m2', 'm3', 'm4', 'm5']) await sent('stop', { meetingId, vendorAtMs: 5_000 }, confirmed)
  await sent('start', { meetingId: 'm3' }, { state: 'done' })
  clock.advance(40_000)
  await sent('stop', { meetingId: 'm5', vendorAtMs: 45_000 }, confirmed)
  clock.advance(10_000)
  t.strictSame(await recalled(), [
    ['m5', { agoMs: 10_000, dateMs: 44_000, followInMs: 0 }],
    ['m4', { agoMs: 50_000, dateMs: 4_000, followInMs: 1_000 }],
    ['m2', { agoMs: 50_000, dateMs: 4_000, followInMs: 2_000 }]
  ])
})

t.test('the newest go first, and the many of one tenant delay nobody else', async t => {
  const { sent, clock, recalled } = await recalling(t)
  const stop = (tenantId: string, meetingId: string) => sent('stop', { tenantId, meetingId }, confirmed)
  await stop('globex', 'g1')
  for (const meetingId of ['m2', 'm3', 'm4']) await stop('acme', meetingId)
  await stop('globex', 'g2')
  clock.advance(60_000)
  const order = (await recalled()).map(([id, { followInMs }]) => `${id} ${followInMs}`)
  t.strictSame(order, ['g2 1000', 'm4 2000', 'g1 3000', 'm3 4000', 'm2 5000'])
})

t.test('a stop is dated by the answer that confirmed it, also one that was repeated for long', async t => {
  const { sent, recalled } = await recalling(t)
  const dated = { state: 'done', confirmed: { vendorAtMs: 60_000 } } as const
  await sent('stop', { vendorAtMs: 5_000 }, dated)
  t.match((await recalled())[0]?.[1], { dateMs: 60_000 })
})

t.test('the Date of the answer that confirmed a stop is kept', async t => {
  const { start, stop, stopStates, simulator, clock, store } = await world(t, {})
  await start()
  clock.advance(2_000)
  simulator.failNext({ match: { method: 'POST', path: stopPath }, status: 500, body: {} })
  t.match((await stop()).json().error, { outcome: 'unknown' })
  const sentAtMs = clock.now()
  clock.advance(10_000)
  await until(async () => (await stopStates()) === 'done')
  const query = store.sql.selectFrom('operations').select('confirmed_vendor_at').where('kind', '=', 'stop')
  const [row] = await store.engine.read(query.compile())
  t.equal(row?.confirmed_vendor_at, Math.floor((sentAtMs + 10_000) / 1_000) * 1_000)
})

t.test('a run that goes on after such a stop, and was wanted since, is not stopped after a restart', async t => {
  const { start, stop, restart, runsOn, simulator, clock } = await world(t, {})
  await start()
  clock.advance(2_000)
  simulator.failNext({ match: { path: stopPath }, ...ignored })
  t.equal((await stop()).statusCode, 200)
  clock.advance(40_000)
  t.equal((await start()).statusCode, 200, 'it is shown again, and wanted')
  const later = await restart()
  t.equal((await later.active()).statusCode, 200)
  // A look that is overdue would have gone out, and the stop after it.
  await pause(2_500)
  t.equal(runsOn(), 1)
})

t.test('so is the run of a stop that the vendor refused first, and confirmed when it was repeated', async t => {
  const { start, stop, restart, stopStates, simulator, clock } = await world(t, { stoppingForMs: 20_000 })
  await start()
  clock.advance(2_000)
  const path = '/meetings/*/active-livestream/stop'
  simulator.failNext({ match: { method: 'POST', path }, status: 400, body: {} })
  t.equal((await stop()).statusCode, 502)
  await until(async () => {
    clock.advance(250)
    return (await stopStates()) === 'done'
  })
  const later = await restart()
  t.equal((await later.active()).statusCode, 404)
})

t.test('a start after a restart does not believe what is shown while an earlier stop may still end it', async t => {
  const { start, stop, restart, runsOn, simulator, clock } = await world(t, { stoppingForMs: 4_000 })
  await start()
  clock.advance(2_000)
  const path = '/meetings/*/active-livestream/stop'
  simulator.failNext({ match: { method: 'POST', path }, afterWork: true, hangUp: true })
  t.match((await stop()).json().error, { outcome: 'unknown' })
  const later = await restart()
  t.equal(runsOn(), 1, 'the vendor shows it')
  let answer: Awaited<ReturnType<typeof start>> | undefined
  later.start().then(reply => {
    answer = reply
  })
  await until(() => {
    clock.advance(100)
    return answer !== undefined
  })
  t.equal(answer?.statusCode, 201, 'and not the run that was about to end')
  t.equal(simulator.livestreams()[0]?.starts, 2)
  t.equal(runsOn(), 1)
})

t.test(
  'a run that was begun a moment before a restart is asked for by its id, until a stop of it was confirmed',
  async t => {
    const { sent, clock, recalled, ownStarts } = await recalling(t)
    for (const meetingId of ['m2', 'm3', 'm4'])
      await sent('start', { meetingId }, { state: 'done', livestreamId: `of ${meetingId}` })
    clock.advance(20_000)
    await sent('stop', { meetingId: 'm3' }, confirmed)
    await sent('stop', { meetingId: 'm4' }, { state: 'done' })
    await recalled()
    const of = (id: string) => ownStarts.begunRun({ id, upstream: 'default' })
    t.strictSame(['m2', 'm3', 'm4'].map(of), ['of m2', null, 'of m4'])
    clock.advance(10_000)
    t.strictSame(['m2', 'm4'].map(of), [null, null], 'then the vendor is believed')
  }
)

t.test('no operation is reconciled before what an earlier process has started and stopped is recalled', async t => {
  const { close, asAcme, meeting, simulator, storeFile } = await gateway(t)
  simulator.fail({ match: { method: 'POST', path: '/meetings/*/active-livestream/stop' }, status: 503 })
  const stopped = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(stopped.json().error.outcome, 'unknown')
  await close()
  const asked = simulator.journal.length
  let askedMeanwhile = Number.NaN
  const open = async (file: string): Promise<Store> => {
    const store = await openStoreHere(file)
    const read = store.engine.read.bind(store.engine)
    const slowly: typeof read = async query => {
      // A slow disk: longer than the first pause of the loop.
      if (query.sql.includes('confirmed_at is not null')) {
        await pause(800)
        askedMeanwhile = simulator.journal.length - asked
      }
      return read(query)
    }
    Object.assign(store.engine, { read: slowly })
    return store
  }
  const next = await startGateway({ config: configFor(simulator, storeFile), logger: makeLogger('silent'), open })
  t.teardown(() => next.close())
  t.equal(askedMeanwhile, 0)
  await until(() => simulator.journal.length > asked)
})
