import t from 'tap'
import { manualClock } from '../../support/clock.ts'
import { gateway, type TestContext } from '../../support/gateway.ts'

/** A meeting that was started a moment ago, at a vendor that hides the run until it is LIVE and begins a second one. */
async function begun(t: TestContext) {
  const world = await gateway(t, {
    simulator: { activeDuringInvoked: '404', startWhileLive: 'second', stopRefusal: '404', liveAfterMs: 3_600_000 },
    config: { deadlineMs: 3_000, readTtlMs: 1 }
  })
  const { asAcme, meeting, simulator, store } = world
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const { id } = (await start()).json().data
  const byId = { method: 'GET', path: `/livestreams/${id}` }
  const livestream = { id, status: 'IDLE', meeting_id: meeting }
  const paging = { total_count: 0, start_offset: 1, end_offset: 0 }
  return {
    start,
    stop: () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`),
    read: () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`),
    list: () => asAcme('GET', '/v2/livestreams'),
    id,
    /** The next look by id. */
    lags: (how: 'IDLE' | '404') =>
      simulator.failNext({
        match: byId,
        ...(how === '404'
          ? { status: 404, body: { success: false, error: { code: 404, message: 'no such livestream' } } }
          : { status: 200, body: { success: true, data: { livestream, sessions: [], paging } } })
      }),
    runsOn: () => simulator.livestreams().flatMap(one => one.sessions.filter(run => run.stopped_time === null)).length,
    async row() {
      const wanted = store.sql.selectFrom('livestreams').select('status').where('id', '=', id)
      return (await store.engine.read(wanted.compile()))[0]?.status
    }
  }
}

for (const how of ['404', 'IDLE'] as const) {
  t.test(`one look by id that says ${how}, after our own 201, has no second start sent`, async t => {
    const { start, lags, id, runsOn } = await begun(t)
    lags(how)
    const again = await start()
    t.equal(again.statusCode, 200)
    t.equal(again.json().data.id, id)
    t.equal(runsOn(), 1)
  })

  t.test(`a read meanwhile blinds no later look: ${how}`, async t => {
    const { start, read, lags, id, row, runsOn } = await begun(t)
    lags(how)
    t.equal((await read()).statusCode, 404)
    t.equal(await row(), 'INVOKED', 'one look is not the end of it')
    t.match((await read()).json().data, { id, status: 'INVOKED' })
    t.equal((await start()).statusCode, 200)
    t.equal(runsOn(), 1)
  })

  t.test(`a list, or a tenant's look by id, blinds none either: ${how}`, async t => {
    const { list, lags, read, stop, id } = await begun(t)
    lags(how)
    await list()
    t.match((await read()).json().data, { id, status: 'INVOKED' })
    t.match((await stop()).json().error, { type: 'upstream_refused', outcome: 'unknown' }, 'the run goes on')
  })

  t.test(`a stop that is answered after such a look leaves the run to later ones: ${how}`, async t => {
    const { stop, read, lags, id, row } = await begun(t)
    lags(how)
    t.equal((await stop()).statusCode, 200)
    t.equal(await row(), 'INVOKED')
    t.match((await read()).json().data, { id, status: 'INVOKED' })
  })
}

t.test('two looks that say so are believed, and a run that was seen on air is over at once', async t => {
  for (const [liveAfterMs, shownIn] of [
    [3_600_000, 'active-livestream'],
    [0, 'active-livestream'],
    [0, 'a list']
  ] as const) {
    const { asAcme, meeting, simulator } = await gateway(t, {
      simulator: { liveAfterMs, activeDuringInvoked: '404' },
      config: { deadlineMs: 3_000, readTtlMs: 1 }
    })
    const path = `/v2/meetings/${meeting}`
    const { id } = (await asAcme('POST', `${path}/livestreams`)).json().data
    await asAcme('GET', shownIn === 'a list' ? '/v2/livestreams' : `${path}/active-livestream`)
    simulator.end(id)
    const before = simulator.journal.length
    t.equal((await asAcme('POST', `${path}/livestreams`)).statusCode, 201)
    const looks = simulator.journal.slice(before).filter(({ target }) => target.endsWith('/active-livestream')).length
    t.equal(looks, liveAfterMs === 0 ? 1 : 2)
  }
})

t.test('a start that is answered with the status of before, or a word that nobody knows, has begun a run', async t => {
  for (const status of ['IDLE', 'STARTING']) {
    const clock = manualClock()
    const { asAcme, meeting, simulator } = await gateway(t, {
      clock,
      simulator: { liveAfterMs: 3_600_000, activeDuringInvoked: '404', startWhileLive: 'second', stopRefusal: '404' }
    })
    const { id } = simulator.startFromBrowser(meeting)
    const path = `/v2/meetings/${meeting}`
    const shown = { id, status, meeting_id: meeting }
    const answer = { status: 201, body: { success: true, data: shown } }
    simulator.failNext({ match: { method: 'POST' }, ...answer })
    t.equal((await asAcme('POST', `${path}/livestreams`)).statusCode, 201)
    const paging = { total_count: 0, start_offset: 1, end_offset: 0 }
    const body = { success: true, data: { livestream: shown, sessions: [], paging } }
    if (status === 'STARTING') simulator.fail({ match: { path: `/livestreams/${id}` }, status: 200, body })
    // After the time in which it is asked for whatever its row says.
    clock.advance(31_000)
    const again = await asAcme('POST', `${path}/livestreams`)
    t.equal(again.statusCode, 200, status)
    t.equal(again.json().data.id, id)
    t.match((await asAcme('POST', `${path}/active-livestream/stop`)).json().error, { outcome: 'unknown' }, 'it goes on')
  }
})
