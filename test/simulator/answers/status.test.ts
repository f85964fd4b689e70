import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

t.test('a start is INVOKED, then LIVE after liveAfterMs, then IDLE after the stop', async t => {
  const { simulator, clock, call, started } = await simulate(t, { liveAfterMs: 3_000 })
  const { meeting, livestream } = await started()
  const status = async (): Promise<string> =>
    (await call('GET', `/livestreams/${livestream}`)).json.data.livestream.status
  t.equal(await status(), 'INVOKED')
  clock.pass(2_999)
  t.equal(await status(), 'INVOKED')
  clock.pass(1)
  t.equal(await status(), 'LIVE')
  await call('POST', `/meetings/${meeting}/active-livestream/stop`)
  t.equal(await status(), 'IDLE')
  t.equal(simulator.livestreams()[0]?.status, 'IDLE')
})

t.test('with liveAfterMs 0 the start still answers INVOKED and the next look is LIVE', async t => {
  const { simulator, call } = await simulate(t, { liveAfterMs: 0 })
  const { id } = simulator.addMeeting()
  t.match((await call('POST', `/meetings/${id}/livestreams`)).json, { data: { status: 'INVOKED' } })
  t.match((await call('GET', `/meetings/${id}/active-livestream`)).json, { data: { status: 'LIVE' } })
})

t.test('on L1 a livestream is OFFLINE before and after it is LIVE', async t => {
  const { clock, call, started } = await simulate(t, { contract: 'L1' })
  const { meeting, livestream } = await started()
  const status = async (): Promise<string> => (await call('GET', `/livestreams/${livestream}`)).json.data.status
  t.equal(await status(), 'OFFLINE')
  clock.pass(2_000)
  t.equal(await status(), 'LIVE')
  await call('POST', `/meetings/${meeting}/active-livestream/stop`)
  t.equal(await status(), 'OFFLINE')
})

t.test('a run that fails is ERRORED and leaves a message in its session', async t => {
  const { simulator, clock, started } = await simulate(t)
  const { livestream } = await started()
  clock.pass(5_000)
  simulator.end(livestream, 'ERRORED')
  t.match(simulator.livestreams(), [{ status: 'ERRORED', sessions: [{ err_message: String }] }])
  t.throws(() => simulator.end(livestream), { message: `livestream ${livestream} is not running` })
})

t.test('a run that ends by itself is IDLE', async t => {
  const { simulator, started } = await simulate(t)
  const { livestream } = await started()
  simulator.end(livestream)
  t.match(simulator.livestreams(), [{ status: 'IDLE', sessions: [{ err_message: null }] }])
})

t.test('the times of a session and of its livestream are the true ones', async t => {
  const { simulator, clock, call, started } = await simulate(t)
  const { meeting, livestream } = await started()
  const look = async () => (await call('GET', `/livestreams/${livestream}`)).json.data
  const invoked = '2026-01-05T10:00:00.000Z'
  const live = '2026-01-05T10:00:02.000Z'
  const stopped = '2026-01-05T10:01:42.000Z'
  t.match(await look(), {
    livestream: { created_at: invoked, updated_at: invoked },
    sessions: [
      { invoked_time: invoked, started_time: null, stopped_time: null, created_at: invoked, updated_at: invoked }
    ]
  })
  clock.pass(2_000)
  t.match(await look(), {
    livestream: { updated_at: live },
    sessions: [{ started_time: live, updated_at: live, ingest_seconds: 60, viewer_seconds: 60 }]
  })
  clock.pass(100_000)
  await call('POST', `/meetings/${meeting}/active-livestream/stop`)
  clock.pass(1_000)
  t.match(await look(), {
    livestream: { created_at: invoked, updated_at: stopped },
    sessions: [{ stopped_time: stopped, updated_at: stopped, ingest_seconds: 100, viewer_seconds: 98.4 }]
  })
  await call('POST', `/meetings/${meeting}/livestreams`)
  t.equal((await look()).sessions.length, 2, 'each start begins a session')
  t.match(simulator.livestreams(), [{ starts: 2 }])
})

t.test('a run that was stopped before it went live has no start time and no seconds', async t => {
  const { simulator, clock, started, call } = await simulate(t)
  const { meeting } = await started()
  clock.pass(1_000)
  await call('POST', `/meetings/${meeting}/active-livestream/stop`)
  clock.pass(60_000)
  t.match(simulator.livestreams(), [{ status: 'IDLE', sessions: [{ started_time: null, ingest_seconds: 0 }] }])
})
