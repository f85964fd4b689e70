import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { manualClock, steps } from '../../support/clock.ts'
import { gateway, type TestContext, type WorldOptions } from '../../support/gateway.ts'

const overall = '/v2/analytics/livestreams/overall'
const daywise = '/v2/analytics/livestreams/daywise'
const day = 86_400_000

/** A gateway whose vendor lives in a time that the test moves. */
async function world(t: TestContext, options: WorldOptions = {}) {
  const time = { at: Date.parse('2026-01-05T10:00:00.000Z') }
  const made = await gateway(t, { ...options, simulator: { now: () => time.at, ...options.simulator } })
  const { asAcme, asGlobex, meeting, otherMeeting } = made
  const show = async (seconds: number, call = asAcme, id = meeting) => {
    await call('POST', `/v2/meetings/${id}/livestreams`)
    time.at += seconds * 1_000
    await call('POST', `/v2/meetings/${id}/active-livestream/stop`)
  }
  return { ...made, time, show, showOfGlobex: (seconds: number) => show(seconds, asGlobex, otherMeeting) }
}

t.test("the figures are of the tenant's own livestreams, whatever others have", async t => {
  const { asAcme, asGlobex, show, showOfGlobex, time, upstream } = await world(t)
  const none = { count: 0, total_ingest_seconds: 0, total_viewer_seconds: 0 }
  t.strictSame((await asAcme('GET', overall)).json(), { success: true, data: none })
  t.strictSame((await asAcme('GET', daywise)).json(), { success: true, data: [] })
  await show(100)
  await showOfGlobex(1_000)
  time.at += day
  await show(200)
  const figures = { count: 2, total_ingest_seconds: 300, total_viewer_seconds: 295 }
  t.strictSame((await asAcme('GET', overall)).json().data, figures)
  t.strictSame((await asAcme('GET', daywise)).json().data, [
    { date: '2026-01-05T00:00:00.000Z', count: 1, total_ingest_seconds: 100, total_viewer_seconds: 98 },
    { date: '2026-01-06T00:00:00.000Z', count: 1, total_ingest_seconds: 200, total_viewer_seconds: 197 }
  ])
  t.match((await asGlobex('GET', overall)).json().data, { count: 1, total_ingest_seconds: 1_000 })
  t.strictSame(
    upstream().filter(call => call.includes('analytics')),
    [],
    "the organisation's figures are never asked for"
  )
})

t.test('a range in either format of the vendor, both ends included', async t => {
  const { asAcme, show, time } = await world(t)
  const first = time.at
  await show(100)
  time.at = first + day
  await show(50)
  const count = async (query: string) => (await asAcme('GET', `${overall}?${query}`)).json().data.count
  const iso = (ms: number) => new Date(ms).toISOString()
  const unix = (ms: number) => String(ms / 1_000)
  for (const written of [iso, unix]) {
    t.equal(await count(`start_time=${written(first)}`), 2)
    t.equal(await count(`start_time=${written(first + 1_000)}`), 1)
    t.equal(await count(`end_time=${written(first)}`), 1)
    t.equal(await count(`end_time=${written(first - 1_000)}`), 0)
    t.equal(await count(`start_time=${written(first + 1_000)}&end_time=${written(first + 2_000)}`), 0)
  }
  t.equal(await count('start_time=2026-01-05&end_time=2026-01-05'), 1, 'a day is meant to its end')
  t.equal((await asAcme('GET', `${daywise}?start_time=${unix(first + 1_000)}`)).json().data.length, 1)
  for (const query of ['start_time=yesterday', 'start_time=2026-02-30', 'end_time=-1', 'start_time=1.5', 'filters=x']) {
    t.equal((await asAcme('GET', `${overall}?${query}`)).statusCode, 400, query)
  }
  const backwards = await asAcme('GET', `${overall}?start_time=${unix(first)}&end_time=${unix(first - 1_000)}`)
  t.match(backwards.json().error.details, [{ field: 'query.end_time' }])
})

t.test('runs that no call began are found, and a run that goes on grows', async t => {
  const { asAcme, meeting, simulator, time } = await world(t)
  const { id } = simulator.startFromBrowser(meeting)
  await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  time.at += 100_000
  t.match((await asAcme('GET', overall)).json().data, { count: 1, total_ingest_seconds: 100 })
  time.at += 50_000
  t.match((await asAcme('GET', overall)).json().data, { count: 1, total_ingest_seconds: 150 })
  simulator.end(id)
  const studio = (await asAcme('POST', '/v2/livestreams', { name: 'studio' })).json().data
  simulator.ingest(studio.id)
  time.at += 70_000
  t.match((await asAcme('GET', overall)).json().data, { count: 2, total_ingest_seconds: 220 })
})

t.test('a question costs the vendor ten calls at most, and what was just looked at none', async t => {
  const clock = manualClock()
  const { asAcme, directory, upstream } = await gateway(t, { clock })
  for (let i = 0; i < 25; i++) await asAcme('POST', '/v2/livestreams')
  const cost = async () => {
    const before = upstream().length
    t.equal((await asAcme('GET', overall)).statusCode, 200)
    return upstream().length - before
  }
  // A livestream that waits for an encoder may have begun unseen: it counts as going on.
  t.equal(await cost(), 10)
  t.equal(await cost(), 10)
  const asked = new Set(upstream().filter(call => call.startsWith('GET')))
  t.equal(asked.size, 20, 'each in its turn')
  clock.advance(120_000)
  await directory.pull()
  t.equal(await cost(), 10)
})

t.test('a clock that is set hides no run', async t => {
  for (const stepMs of steps) {
    const clock = manualClock()
    const { asAcme, show } = await world(t, { clock })
    await show(100)
    clock.advance(1_000)
    t.match((await asAcme('GET', overall)).json().data, { count: 1, total_ingest_seconds: 100 })
    clock.step(stepMs)
    clock.advance(1_000)
    await show(100)
    clock.advance(1_000)
    t.match((await asAcme('GET', overall)).json().data, { count: 2, total_ingest_seconds: 200 }, `${stepMs} ms`)
  }
})

t.test('a vendor that cannot be asked: the figures are those of the last look', async t => {
  const { asAcme, show, simulator } = await world(t, { unmoved: true })
  await show(100)
  t.match((await asAcme('GET', overall)).json().data, { count: 1, total_ingest_seconds: 100 })
  await show(100)
  simulator.fail({ status: 500 })
  t.match((await asAcme('GET', overall)).json().data, { count: 1, total_ingest_seconds: 100 })
  simulator.clearFaults()
  t.match((await asAcme('GET', overall)).json().data, { count: 2, total_ingest_seconds: 200 })
})

t.test('a meeting that was taken away takes its figures with it', async t => {
  const { asAcme, asGlobex, show, store, directory, meeting } = await world(t)
  await show(100)
  t.equal((await asAcme('GET', overall)).json().data.count, 1)
  await meetingsIn(store).release(meeting, Date.now())
  await directory.pull()
  t.equal((await asAcme('GET', overall)).json().data.count, 0)
  await meetingsIn(store).assign('globex', 'default', [meeting], Date.now())
  await directory.pull()
  t.equal((await asGlobex('GET', overall)).json().data.count, 0)
})

t.test('a figure of the vendor that is none is neither kept nor shown, and what was seen before stays', async t => {
  const { asAcme, show, simulator } = await world(t)
  await show(100)
  t.match((await asAcme('GET', overall)).json().data, { count: 1, total_ingest_seconds: 100 })
  const [livestream] = simulator.livestreams()
  const { livestream: shown, sessions } = (await asAcme('GET', `/v2/livestreams/${livestream?.id}`)).json().data
  for (const figure of [1e308, -1, '9'.repeat(12)]) {
    const run = {
      ...sessions[0],
      ingest_seconds: figure,
      viewer_seconds: figure,
      stopped_time: new Date().toISOString()
    }
    simulator.failNext({
      match: { path: `/livestreams/${livestream?.id}` },
      body: { success: true, data: { livestream: shown, sessions: [run] } }
    })
    const read = await asAcme('GET', `/v2/livestreams/${livestream?.id}?per_page=7`)
    t.match(read.json().data.sessions, [{ id: run.id, ingest_seconds: undefined, viewer_seconds: undefined }])
    t.match((await asAcme('GET', overall)).json().data, {
      count: 1,
      total_ingest_seconds: 100,
      total_viewer_seconds: 98
    })
  }
})
