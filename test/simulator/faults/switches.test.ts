import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

const live = (meeting: string): [string, string] => ['GET', `/meetings/${meeting}/active-livestream`]
const stop = (meeting: string): [string, string] => ['POST', `/meetings/${meeting}/active-livestream/stop`]
const start = (meeting: string): [string, string] => ['POST', `/meetings/${meeting}/livestreams`]

t.test('startWhileLive 409 refuses the second start and changes nothing', async t => {
  const { simulator, call, started } = await simulate(t)
  const { meeting } = await started()
  const { status, json } = await call(...start(meeting))
  t.equal(status, 409)
  const message = `A LIVESTREAMER is already running for meeting ${meeting}`
  t.strictSame(json, { success: false, error: { code: 409, message } })
  t.match(simulator.livestreams(), [{ starts: 1 }])
  t.match(simulator.journal, [{ executed: true }, { executed: false, status: 409 }])
})

t.test('startWhileLive 200 answers with the livestream that runs', async t => {
  const { simulator, clock, call, started } = await simulate(t, { startWhileLive: '200' })
  const { meeting, livestream } = await started()
  clock.pass(2_000)
  const { status, json } = await call(...start(meeting))
  t.equal(status, 200)
  t.match(json.data, { id: livestream, status: 'LIVE' })
  t.match(simulator.livestreams(), [{ starts: 1 }])
})

t.test('startWhileLive second begins another livestream, which is the one that a stop ends first', async t => {
  const { simulator, call, started } = await simulate(t, { startWhileLive: 'second' })
  const { meeting, livestream } = await started()
  const second = await call(...start(meeting))
  t.equal(second.status, 201)
  t.not(second.json.data.id, livestream)
  t.equal((await call(...live(meeting))).json.data.id, second.json.data.id)
  await call(...stop(meeting))
  t.equal((await call(...live(meeting))).json.data.id, livestream)
  await call(...stop(meeting))
  t.equal((await call(...live(meeting))).status, 404)
  t.match(simulator.livestreams(), [{ starts: 1 }, { starts: 1 }])
})

t.test('activeDuringInvoked 200 shows a run that is not live yet, 404 hides it', async t => {
  const open = await simulate(t)
  const { meeting } = await open.started()
  t.match((await open.call(...live(meeting))).json, { data: { status: 'INVOKED' } })
  const hiding = await simulate(t, { activeDuringInvoked: '404' })
  const { meeting: other } = await hiding.started()
  t.equal((await hiding.call(...live(other))).status, 404)
  hiding.clock.pass(2_000)
  t.match((await hiding.call(...live(other))).json, { data: { status: 'LIVE' } })
})

for (const stopWithNothingLive of ['200', '400', '404', '409'] as const) {
  t.test(`stopWithNothingLive ${stopWithNothingLive} is what a fruitless stop gets`, async t => {
    const { simulator, call } = await simulate(t, { stopWithNothingLive })
    const { id } = simulator.addMeeting()
    const { status, json } = await call(...stop(id))
    t.equal(status, Number(stopWithNothingLive))
    t.equal(json.success, status === 200)
  })
}

t.test('livestreamId reused keeps id and stream key over a restart', async t => {
  const { simulator, call, started } = await simulate(t)
  const { meeting, livestream } = await started()
  const [before] = simulator.livestreams()
  await call(...stop(meeting))
  const again = await call(...start(meeting))
  t.equal(again.status, 201)
  t.match(again.json.data, { id: livestream, stream_key: before?.stream_key })
  t.match(simulator.livestreams(), [{ starts: 2 }])
})

t.test('livestreamId new gives a restarted meeting another livestream', async t => {
  const { simulator, call, started } = await simulate(t, { livestreamId: 'new' })
  const { meeting, livestream } = await started()
  await call(...stop(meeting))
  const again = await call(...start(meeting))
  t.not(again.json.data.id, livestream)
  const [first, second] = simulator.livestreams()
  t.not(first?.stream_key, second?.stream_key)
})

t.test('activeShowsStreamKey false leaves out where and with which key to send video', async t => {
  const { call, started } = await simulate(t, { activeShowsStreamKey: false })
  const { meeting } = await started()
  const { data } = (await call(...live(meeting))).json
  t.notHas(data, { stream_key: String })
  t.notOk('stream_key' in data || 'ingest_server' in data)
})

t.test('a meeting that is INACTIVE cannot be started', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting({ status: 'INACTIVE' })
  t.match(await call(...start(id)), { status: 403, json: { success: false, error: { code: 403 } } })
  t.strictSame(simulator.livestreams(), [])
})

t.test('a disabled livestream cannot be started again until it is enabled', async t => {
  const { call, started } = await simulate(t)
  const { meeting, livestream } = await started()
  await call(...stop(meeting))
  await call('PUT', `/livestreams/${livestream}/disable`)
  t.equal((await call(...start(meeting))).status, 403)
  await call('PUT', `/livestreams/${livestream}/enable`)
  t.equal((await call(...start(meeting))).status, 201)
})
