import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

t.test('a meeting has no region, and two fields that Dyte has not', async t => {
  const { call } = await simulate(t, { vendor: 'realtimekit' })
  const { data } = (await call('POST', '/meetings', { title: 'Show', preferred_region: 'ap-south-1' })).json
  t.match(data, { title: 'Show', session_keep_alive_time_in_secs: 60, transcribe_on_end: false })
  t.notOk('preferred_region' in data)
  const path = `/meetings/${data.id}`
  const wish = { session_keep_alive_time_in_secs: 600, transcribe_on_end: true }
  t.match((await call('PATCH', path, wish)).json.data, { title: 'Show', ...wish })
  t.match((await call('GET', path)).json.data, wish)
  t.match((await call('PUT', path, { title: 'Other' })).json.data, {
    title: 'Other',
    session_keep_alive_time_in_secs: 60,
    transcribe_on_end: false
  })
  for (const wrong of [
    { session_keep_alive_time_in_secs: 59 },
    { session_keep_alive_time_in_secs: 601 },
    { transcribe_on_end: 'yes' }
  ])
    t.match(await call('PATCH', path, wrong), {
      status: 422,
      json: { message: `[body] "${Object.keys(wrong)}" must be` }
    })
})

t.test('Dyte knows neither of the two, and keeps the region', async t => {
  const { call } = await simulate(t)
  const wish = { preferred_region: 'ap-south-1', session_keep_alive_time_in_secs: 7, transcribe_on_end: 'yes' }
  const { status, json } = await call('POST', '/meetings', wish)
  t.equal(status, 201)
  t.match(json.data, { preferred_region: 'ap-south-1' })
  t.notOk('session_keep_alive_time_in_secs' in json.data || 'transcribe_on_end' in json.data)
})

t.test('meetings are found by their status', async t => {
  const { simulator, call } = await simulate(t, { vendor: 'realtimekit' })
  const { id: active } = simulator.addMeeting()
  const { id: retired } = simulator.addMeeting({ status: 'INACTIVE' })
  const ids = async (query: string): Promise<string[]> =>
    (await call('GET', `/meetings${query}`)).json.data.map(({ id }: { id: string }) => id)
  t.strictSame(await ids('?status=ACTIVE'), [active])
  t.strictSame(await ids('?status=INACTIVE'), [retired])
  t.strictSame(await ids(''), [retired, active])
  t.match(await call('GET', '/meetings?status=LIVE'), { status: 422, json: { message: '[query] "status" must be' } })
  const dyte = await simulate(t)
  dyte.simulator.addMeeting({ status: 'INACTIVE' })
  t.equal((await dyte.call('GET', '/meetings?status=ACTIVE')).json.data.length, 1, 'Dyte has no such filter')
})

t.test('video goes to another path than at Dyte', async t => {
  const { simulator, call } = await simulate(t, { vendor: 'realtimekit' })
  const { id } = simulator.addMeeting()
  const server = 'rtmps://ingest.example:443/live/'
  t.equal((await call('POST', `/meetings/${id}/livestreams`)).json.data.ingest_server, server)
  t.equal((await call('GET', `/meetings/${id}/active-livestream`)).json.data.ingest_server, server)
  t.equal((await call('GET', '/livestreams')).json.data[0].ingest_server, server)
})

t.test('figures are asked for in Unix seconds or ISO 8601, and come with plain dates', async t => {
  const { simulator, clock, call, ran } = await simulate(t, { vendor: 'realtimekit' })
  const { id } = simulator.addMeeting()
  await ran(id, 100)
  clock.pass(86_400_000)
  await ran(id, 10)
  const first = { count: 1, total_ingest_seconds: 100, total_viewer_seconds: 98 }
  const second = { count: 1, total_ingest_seconds: 10, total_viewer_seconds: 10 }
  const data = async (path: string): Promise<unknown> => (await call('GET', `/analytics/livestreams/${path}`)).json.data
  t.strictSame(await data('daywise'), [
    { date: '2026-01-05', ...first },
    { date: '2026-01-06', ...second }
  ])
  t.strictSame(await data('overall'), { count: 2, total_ingest_seconds: 110, total_viewer_seconds: 108 })
  const midnight = Date.parse('2026-01-06T00:00:00Z') / 1_000
  t.strictSame(await data(`overall?end_time=${midnight}&filters=none`), first)
  t.strictSame(await data(`overall?start_time=${midnight}.5`), second)
  t.strictSame(await data('overall?end_time=2026-01-06T00:00:00Z'), first)
  t.match(await call('GET', '/analytics/livestreams/overall?start_time=noon'), { status: 422 })
  t.match(await call('GET', `/livestreams?start_time=${midnight}`), { status: 422 }, 'figures alone')
})
