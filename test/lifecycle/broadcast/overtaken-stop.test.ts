import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { manualClock } from '../../support/clock.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway, type TestContext } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

const lost = { match: { method: 'POST' }, hangUp: true }

/** A meeting that is live, and a stop of it that the vendor has never heard of. */
async function world(t: TestContext) {
  const clock = manualClock()
  // One clock for both: the times of a run tell an older one from one that has just begun.
  const world = await gateway(t, { clock, slowDisk: true, simulator: { now: clock.now } })
  const { asAcme, meeting, simulator, store } = world
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await start()
  // Seen on air, so that one look which shows nothing is believed.
  await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  // A run of the same millisecond could be one that has begun after the stop.
  clock.advance(1)
  // It is sent again half a second later, and again: however slow the test, none of them arrives before it says so.
  const recover = simulator.fail({
    match: { method: 'POST', path: '/meetings/*/active-livestream/stop' },
    hangUp: true
  })
  const stopped = await stop()
  if (stopped.json().error?.outcome !== 'unknown') throw new Error(stopped.body)
  const stops = store.sql.selectFrom('operations').select('state').where('kind', '=', 'stop')
  const state = async () => (await store.engine.read(stops.compile())).map(({ state }) => state).join()
  return {
    ...world,
    clock,
    start,
    stop,
    /** Lets time pass until the stops have come to that. */
    async ends(states: string): Promise<void> {
      await until(async () => {
        clock.advance(250)
        return (await state()) === states
      }, 20_000)
    },
    state,
    recover,
    isLive: () => simulator.livestreams()[0]?.status === 'LIVE'
  }
}

t.test('a start that finds the meeting live overtakes the stop that nobody has confirmed: it goes on', async t => {
  const { start, state, isLive, clock } = await world(t)
  // So long the stop may still have done something.
  clock.advance(5_000)
  t.equal((await start()).statusCode, 200)
  t.equal(await state(), 'failed')
  t.ok(isLive())
})

t.test('a start that finds the meeting live overtakes a stop whose record is late, too', async t => {
  const { asAcme, meeting, simulator, store, storeFile } = await gateway(t, { threads: true })
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal((await start()).statusCode, 201)
  await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  const match = { method: 'POST', path: '/meetings/*/active-livestream/stop' }
  simulator.fail({ match, status: 400, body: { success: false, error: { code: 400, message: 'not now' } } })
  const unlock = lockStore(storeFile)
  const stopped = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.match(stopped.json().error, { outcome: 'unknown' })
  const before = simulator.journal.length
  const starting = start()
  await until(() => simulator.journal.length > before)
  await pause(200)
  unlock()
  t.equal((await starting).statusCode, 200)
  const stops = store.sql.selectFrom('operations').select('state').where('kind', '=', 'stop')
  t.match(await store.engine.read(stops.compile()), [{ state: 'failed' }])
})

t.test(
  'a start that could not look has overtaken nothing: the stop is repeated, and the meeting goes off air',
  async t => {
    const { start, ends, isLive, simulator, recover } = await world(t)
    const seeAgain = simulator.fail({ match: { method: 'GET' }, status: 503 })
    t.match((await start()).json().error, { type: 'upstream_failed', outcome: 'not_sent' })
    seeAgain()
    recover()
    await ends('done')
    t.notOk(isLive())
  }
)

t.test('a start that an earlier one holds up has overtaken nothing: what was remembered is still sent', async t => {
  const { start, stop, ends, isLive, simulator, meeting, clock, recover } = await world(t)
  recover()
  await ends('done')
  clock.advance(1_000)
  simulator.failNext(lost)
  t.match((await start()).json().error, { outcome: 'unknown' })
  t.match((await stop()).json().error, { type: 'start_unsettled', outcome: 'unknown' })
  t.match((await start()).json().error, { type: 'start_unsettled', outcome: 'not_sent' })
  // The first start arrives after all.
  simulator.startFromBrowser(meeting)
  await ends('done,done')
  t.notOk(isLive())
})

t.test('a start that was looked for and then not sent has overtaken nothing', async t => {
  const { start, state, ends, simulator, meeting, recover } = await world(t)
  simulator.end(simulator.livestreams()[0]?.id ?? '')
  simulator.failNext({ match: { method: 'POST', path: `/meetings/${meeting}/livestreams` }, status: 401 })
  t.match((await start()).json().error, { outcome: 'not_sent' })
  t.equal(await state(), 'unknown', 'the stop is still the last word')
  recover()
  await ends('done')
})

t.test(
  'a start soon after a stop whose answer was lost does not believe what is shown: it may go off air yet',
  async t => {
    const { start, state, isLive } = await world(t)
    const reply = await start()
    t.equal(reply.statusCode, 409)
    t.match(reply.json().error, { type: 'still_stopping', outcome: 'not_sent' })
    t.equal(await state(), 'unknown', 'and the stop is still the last word')
    t.ok(isLive())
  }
)

t.test('a stop outlives a later start that came to nothing: it waits until that is known, and goes on', async t => {
  const { start, ends, isLive, simulator, recover, clock, store } = await world(t)
  const stops = () =>
    simulator.journal.filter(({ method, target }) => method === 'POST' && target.endsWith('/stop')).length
  const starts = store.sql
    .selectFrom('operations')
    .select('state')
    .where('kind', '=', 'start')
    .orderBy('ordinal', 'desc')
  const startState = async () => (await store.engine.read(starts.compile()))[0]?.state
  // The vendor hides the run, so that somebody may start again.
  const noList = { success: true, data: [], paging: { total_count: 0, start_offset: 0, end_offset: 0 } }
  simulator.fail({ match: { method: 'GET', path: '/livestreams' }, status: 200, body: noList })
  simulator.fail({ match: { method: 'GET' }, status: 404, body: {} })
  simulator.failNext(lost)
  t.match((await start()).json().error, { outcome: 'unknown' })
  recover()
  const before = stops()
  await until(async () => {
    clock.advance(250)
    const sent = stops()
    const isOpen = (await startState()) === 'unknown'
    if (isOpen && sent > before) throw new Error('the stop went out while nobody knew of the start')
    return !isOpen
  })
  t.equal(await startState(), 'failed')
  await ends('done')
  t.equal(stops() - before, 1)
  t.notOk(isLive(), 'the last word was stop')
})

t.test(
  'a stop that went on twice under one key, without the store, has its place before a later start both times',
  async t => {
    // Between the calls no time passes: two looks of the background, five seconds apart, would settle the stops.
    const clock = manualClock()
    const { asAcme, meeting, simulator, store, storeFile } = await gateway(t, {
      clock,
      simulator: { contract: 'L1', startWhileLive: '200', now: clock.now }
    })
    const match = { method: 'POST', path: '/meetings/*/active-livestream/stop' }
    simulator.fail({ match, hangUp: true })
    const headers = { 'idempotency-key': 'twice' }
    const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`, undefined, headers)
    const unlock = lockStore(storeFile)
    t.match((await stop()).json().error, { outcome: 'unknown' })
    clock.advance(1_000)
    t.match((await stop()).json().error, { outcome: 'unknown' })
    unlock()
    const rows = store.sql.selectFrom('operations').select(['kind', 'state']).orderBy('ordinal').compile()
    await until(async () => (await store.engine.read(rows)).length === 2, 20_000)
    t.match((await stop()).json().error, { type: 'idempotency_key_in_use' })
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
    const ended = { kind: 'stop', state: 'failed' }
    t.strictSame(await store.engine.read(rows), [ended, ended, { kind: 'start', state: 'done' }])
    simulator.clearFaults()
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).json().data.status, 'LIVE')
  }
)
