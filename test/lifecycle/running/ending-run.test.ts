import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { live } from '../../support/broadcast/live-run.ts'
import { manualClock } from '../../support/clock.ts'
import { until } from '../../support/until.ts'

// They wait for a vendor that takes its time, each for its own.
t.jobs = 8

t.test('a start right after a stop waits for the run that is ending, and begins a new one', async t => {
  const { start, stop, simulator, starts } = await live(t, { simulator: { stoppingForMs: 1_500 } })
  t.equal((await stop()).statusCode, 200)
  const again = await start({ 'idempotency-key': 'the-show' })
  t.equal(again.statusCode, 201, 'and not the run that just ended')
  t.equal(starts(), 2)
  const runs = simulator.livestreams().flatMap(({ sessions }) => sessions)
  t.equal(runs.length, 2)
  t.equal(runs.filter(({ stopped_time }) => stopped_time === null).length, 1)
})

t.test('a vendor that refuses a start while the last run is still stopping is asked once more', async t => {
  for (const restartRefusal of ['400', '409'] as const) {
    const { start, stop, starts } = await live(t, { simulator: { restartAfterMs: 1_200, restartRefusal } })
    await stop()
    t.equal((await start()).statusCode, 201)
    t.equal(starts(), 3)
  }
})

t.test(
  'a run that takes longer to end than a start may wait: 409 still_stopping, nothing is sent, its key is free',
  async t => {
    const { start, stop, starts } = await live(t, {
      simulator: { stoppingForMs: 6_000 },
      config: { deadlineMs: 2_500 }
    })
    await stop()
    const key = { 'idempotency-key': 'the-show' }
    const reply = await start(key)
    t.equal(reply.statusCode, 409)
    t.match(reply.json().error, { type: 'still_stopping', outcome: 'not_sent' })
    t.match(reply.headers['retry-after'], /^\d+$/)
    t.equal(starts(), 1)
    await until(async () => (await start(key)).statusCode === 201, 20_000)
    t.equal(starts(), 2)
  }
)

t.test('a stop does not wait behind a start that waits for the run that is ending', async t => {
  const { start, stop, starts, stops, simulator } = await live(t, { simulator: { stoppingForMs: 8_000 } })
  await stop()
  const before = simulator.journal.length
  const starting = start()
  await until(() => simulator.journal.length > before)
  const stopped = await stop()
  t.match((await starting).json().error, { type: 'still_stopping', outcome: 'not_sent' })
  t.equal(stopped.statusCode, 200)
  t.equal(stops(), 2)
  t.equal(starts(), 1)
})

t.test('after an acknowledged stop no read shows its run as LIVE, though the vendor does', async t => {
  const { asAcme, meeting, stop, id, isOn } = await live(t, { simulator: { stoppingForMs: 20_000 } })
  await stop()
  t.ok(isOn(), 'the vendor shows it')
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
  t.equal((await asAcme('GET', `/v2/livestreams/${id}/active-livestream-session`)).statusCode, 404)
  t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).json().data.livestream.status, 'IDLE')
  t.equal((await asAcme('GET', '/v2/livestreams')).json().data[0].status, 'IDLE')
})

t.test('an ending run is not kept as LIVE, whichever read the vendor has shown it to', async t => {
  const { asAcme, meeting, stop, id, isOn } = await live(t, { simulator: { stoppingForMs: 120_000 } })
  await stop()
  const running = async () => (await asAcme('GET', '/gateway/usage')).json().data.live_livestreams
  const reads = [`/v2/meetings/${meeting}/livestream`, `/v2/livestreams/${id}?page_no=2`]
  for (const read of reads) {
    t.equal((await asAcme('GET', read)).json().data.livestream.status, 'IDLE', read)
    t.equal(await running(), 0, read)
  }
  await asAcme('GET', '/v2/analytics/livestreams/overall')
  t.equal(await running(), 0, 'figures')
  t.ok(isOn(), 'the vendor still shows it')
})

t.test('a part of its runs makes a livestream an ending one for as long as nothing would', async t => {
  const clock = manualClock()
  const { asAcme, meeting, stop, simulator, id } = await live(t, { clock, config: { settleMs: 120_000 } })
  await stop()
  await pause(1_100)
  simulator.startFromBrowser(meeting)
  // The vendor has the oldest first, and shows one of two.
  const [livestream] = simulator.livestreams()
  const data = { livestream: { id, status: 'LIVE', meeting_id: meeting }, sessions: livestream?.sessions.slice(0, 1) }
  const body = { success: true, data, paging: { total_count: 2, start_offset: 1, end_offset: 1 } }
  simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 200, body })
  const status = async () => (await asAcme('GET', `/v2/livestreams/${id}?per_page=1`)).json().data.livestream.status
  t.equal(await status(), 'IDLE')
  clock.advance(10_000)
  t.equal(await status(), 'LIVE')
})

t.test('a browser that starts after the stop is seen at once: its run is another one', async t => {
  const { asAcme, meeting, stop, simulator, id } = await live(t, {})
  await stop()
  await pause(1_100)
  simulator.startFromBrowser(meeting)
  const reply = await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  t.equal(reply.statusCode, 200)
  t.equal(reply.json().data.id, id)
})

t.test('a run that goes on after the time to settle was not stopped: it is seen again, and stopped again', async t => {
  const { asAcme, meeting, stop, stops, isOn, simulator, events, logs } = await live(t, { config: { settleMs: 2_000 } })
  // The vendor says yes, and does nothing.
  const said = { success: true, data: { message: 'Stopped live stream successfully' } }
  simulator.failNext({ match: { path: '/meetings/*/active-livestream/stop' }, status: 200, body: said })
  t.equal((await stop()).statusCode, 200)
  t.ok(isOn())
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
  await until(() => !isOn(), 20_000)
  t.equal(stops(), 2)
  await until(async () => (await events()).some(({ status_detail }) => status_detail === 'settled'))
  const own = (await events()).filter(({ actor }) => actor.user.type === 'Gateway')
  t.strictSame(
    own.map(({ api, unmapped, status_detail }) => [api.operation, unmapped.outcome, status_detail]),
    [
      ['stopLivestream', 'pending', 'still_live'],
      ['stopLivestream', 'done', 'settled']
    ]
  )
  t.match(logs(), 'a livestream that was stopped still goes on: it is stopped again')
})

t.test('a start that comes before it is stopped again overtakes it', async t => {
  const { start, stop, stops, isOn, simulator } = await live(t, { config: { settleMs: 1_000 } })
  const said = { success: true, data: { message: 'Stopped live stream successfully' } }
  simulator.failNext({ match: { path: '/meetings/*/active-livestream/stop' }, status: 200, body: said })
  await stop()
  await pause(1_100)
  t.equal((await start()).statusCode, 200, 'the run goes on, and now it is wanted')
  await pause(2_000)
  t.equal(stops(), 1)
  t.ok(isOn())
})

t.test('nothing is sent and the operator is told where nothing tells the runs apart, as in contract L1', async t => {
  const { asAcme, meeting, stop, stops, simulator, logs } = await live(t, {
    simulator: { contract: 'L1' },
    config: { settleMs: 1_500 }
  })
  const said = { success: true, data: { message: 'livestream stopped' } }
  simulator.failNext({ match: { path: '/meetings/*/active-livestream/stop' }, status: 200, body: said })
  await stop()
  const active = () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  t.equal((await active()).statusCode, 404)
  await until(async () => (await active()).statusCode === 200, 20_000)
  t.match(logs(), 'nothing tells whether it is the same run')
  t.equal(stops(), 1)
})

t.test('a start is not joined to a run that is hidden and was stopped a moment ago', async t => {
  const hidden = { activeDuringInvoked: '404', startWhileLive: '200', liveAfterMs: 60_000 } as const
  const { start, stop, starts } = await live(t, { simulator: { ...hidden, stoppingForMs: 30_000 } })
  t.equal((await stop()).statusCode, 200)
  const reply = await start()
  t.match(reply.json().error, { code: 409, type: 'still_stopping', outcome: 'not_sent' })
  t.equal(starts(), 1)
})
