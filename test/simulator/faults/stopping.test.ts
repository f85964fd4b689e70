import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

const live = (meeting: string): [string, string] => ['GET', `/meetings/${meeting}/active-livestream`]
const stop = (meeting: string): [string, string] => ['POST', `/meetings/${meeting}/active-livestream/stop`]
const start = (meeting: string): [string, string] => ['POST', `/meetings/${meeting}/livestreams`]

for (const stopRefusal of ['400', '404', '409'] as const) {
  t.test(
    `stopRefusal ${stopRefusal} refuses a stop that comes before the run is LIVE, and the run goes on`,
    async t => {
      const { simulator, clock, call, started } = await simulate(t, { stopRefusal, stopWithNothingLive: '200' })
      const { meeting } = await started()
      t.match(await call(...stop(meeting)), {
        status: Number(stopRefusal),
        json: {
          success: false,
          error: { code: Number(stopRefusal), message: `The livestream of meeting ${meeting} has not started yet` }
        }
      })
      clock.pass(2_000)
      t.match(simulator.livestreams(), [{ status: 'LIVE' }])
      t.equal((await call(...stop(meeting))).status, 200)
      t.match(simulator.livestreams(), [{ status: 'IDLE' }])
      t.equal((await call(...stop(meeting))).status, 200, 'with nothing live the other switch says')
    }
  )
}

t.test('restartAfterMs refuses a start that comes too soon after a stop', async t => {
  const { simulator, clock, call, started } = await simulate(t, { restartAfterMs: 3_000 })
  const { meeting } = await started()
  await call(...stop(meeting))
  clock.pass(2_999)
  const message = `The last livestream of meeting ${meeting} is still stopping`
  t.match(await call(...start(meeting)), { status: 400, json: { success: false, error: { code: 400, message } } })
  t.throws(() => simulator.startFromBrowser(meeting), /still stopping/)
  t.equal((await call(...live(meeting))).status, 404)
  clock.pass(1)
  t.equal((await call(...start(meeting))).status, 201)
  t.match(simulator.livestreams(), [{ starts: 2 }])
})

t.test('restartRefusal 409 says so in the words of a second start', async t => {
  const { call, started } = await simulate(t, { restartAfterMs: 3_000, restartRefusal: '409' })
  const { meeting } = await started()
  await call(...stop(meeting))
  const message = `A LIVESTREAMER is already running for meeting ${meeting}`
  t.match(await call(...start(meeting)), { status: 409, json: { error: { message } } })
})

t.test('a run that ended by itself keeps no start waiting', async t => {
  const { simulator, call, started } = await simulate(t, { restartAfterMs: 3_000 })
  const { meeting, livestream } = await started()
  simulator.end(livestream)
  t.equal((await call(...start(meeting))).status, 201)
})

t.test('stoppingForMs shows a run that was stopped as LIVE, everywhere, until it is over', async t => {
  const { simulator, clock, call, started } = await simulate(t, { stoppingForMs: 5_000 })
  const { meeting, livestream } = await started()
  clock.pass(10_000)
  t.match(simulator.livestreams(), [{ status: 'LIVE', stopping: false }])
  t.equal((await call(...stop(meeting))).status, 200)
  clock.pass(4_999)
  const reads = async () => {
    const [active, one, list, session, people] = await Promise.all([
      call(...live(meeting)),
      call('GET', `/livestreams/${livestream}`),
      call('GET', '/livestreams?status=LIVE'),
      call('GET', `/livestreams/${livestream}/active-livestream-session`),
      call('GET', `/meetings/${meeting}/active-session`)
    ])
    return {
      active: active.json.data?.status ?? active.status,
      one: one.json.data.livestream.status,
      stopped: one.json.data.sessions[0].stopped_time,
      listed: list.json.data.length,
      session: session.status,
      people: people.status
    }
  }
  const going = { active: 'LIVE', one: 'LIVE', stopped: null, listed: 1, session: 200, people: 200 }
  t.strictSame(await reads(), going)
  t.match(simulator.livestreams(), [{ status: 'LIVE', stopping: true, sessions: [{ stopped_time: null }] }])
  clock.pass(1)
  const stopped = '2026-01-05T10:00:15.000Z'
  t.match(simulator.livestreams(), [{ status: 'IDLE', stopping: false }])
  t.strictSame(await reads(), { active: 404, one: 'IDLE', stopped, listed: 0, session: 404, people: 404 })
  clock.pass(60_000)
  t.match((await call('GET', '/sessions')).json.data.sessions, [{ status: 'ENDED', ended_at: stopped }])
})

t.test('a second stop finds nothing that is not stopped already, and delays no end', async t => {
  const { simulator, clock, call, started } = await simulate(t, { stoppingForMs: 5_000 })
  const { meeting } = await started()
  clock.pass(2_000)
  await call(...stop(meeting))
  clock.pass(4_000)
  t.equal((await call(...stop(meeting))).status, 404)
  clock.pass(1_000)
  t.match(simulator.livestreams(), [{ status: 'IDLE' }])
})

t.test('a start while the old run is still stopping is one of a live meeting', async t => {
  const after = async (startWhileLive: '200' | '409' | 'second') => {
    const { simulator, clock, call, started } = await simulate(t, { stoppingForMs: 5_000, startWhileLive })
    const { meeting, livestream } = await started()
    clock.pass(2_000)
    await call(...stop(meeting))
    const { status, json } = await call(...start(meeting))
    return { status, isSame: json.data?.id === livestream, meeting, simulator, clock, call }
  }
  t.match(await after('200'), { status: 200, isSame: true })
  t.match(await after('409'), { status: 409 })
  const { status, isSame, simulator, clock, meeting, call } = await after('second')
  t.strictSame([status, isSame], [201, false])
  t.equal((await call(...stop(meeting))).status, 200, 'ends the one that nobody has stopped yet')
  clock.pass(5_000)
  t.match(simulator.livestreams(), [{ status: 'IDLE' }, { status: 'IDLE' }])
})

t.test('restartAfterMs comes before what a start of a live meeting is answered', async t => {
  const { call, started } = await simulate(t, { stoppingForMs: 5_000, restartAfterMs: 1_000, startWhileLive: 'second' })
  const { meeting } = await started()
  await call(...stop(meeting))
  t.equal((await call(...start(meeting))).status, 400)
})
