import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

const keys = (value: object): string[] => Object.keys(value).sort()
const livestreamFields = [
  'created_at',
  'disabled',
  'id',
  'ingest_server',
  'meeting_id',
  'name',
  'playback_url',
  'status',
  'stream_key',
  'updated_at'
]
const sessionFields = [
  'created_at',
  'err_message',
  'id',
  'ingest_seconds',
  'invoked_time',
  'livestream_id',
  'started_time',
  'stopped_time',
  'updated_at',
  'viewer_seconds'
]
const one = { total_count: 1, start_offset: 1, end_offset: 1 }

t.test('an independent livestream is created with eight fields', async t => {
  const { call } = await simulate(t)
  const { status, json } = await call('POST', '/livestreams', { name: 'demo-1' })
  t.equal(status, 201)
  t.strictSame(keys(json), ['data', 'success'])
  t.strictSame(keys(json.data), [
    'disabled',
    'id',
    'ingest_server',
    'meeting_id',
    'name',
    'playback_url',
    'status',
    'stream_key'
  ])
  t.match(json.data, { status: 'INVOKED', name: 'demo-1', meeting_id: null, disabled: false })
  t.match(json.data, { ingest_server: 'rtmps://ingest.example:443/app/', stream_key: /^[0-9a-f]{48}$/ })
  t.match(json.data.playback_url, /^https:\/\/playback\.example\/[^/]+\/manifest\.m3u8$/)
})

t.test('a start answers five fields, a stop one sentence', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  const started = await call('POST', `/meetings/${id}/livestreams`, { name: null, video_config: { height: 720 } })
  t.equal(started.status, 201)
  t.strictSame(keys(started.json.data), ['id', 'ingest_server', 'playback_url', 'status', 'stream_key'])
  const stopped = await call('POST', `/meetings/${id}/active-livestream/stop`)
  t.equal(stopped.status, 200)
  t.strictSame(stopped.json, { success: true, data: { message: 'Stopped live stream successfully' } })
})

t.test('active-livestream is one object, with or without the two fields of the encoder', async t => {
  const full = await simulate(t)
  const { meeting } = await full.started()
  const path = `/meetings/${meeting}/active-livestream`
  t.strictSame(keys((await full.call('GET', path)).json.data), livestreamFields)
  const short = await simulate(t, { activeShowsStreamKey: false })
  const { meeting: other } = await short.started()
  t.strictSame(
    keys((await short.call('GET', `/meetings/${other}/active-livestream`)).json.data),
    livestreamFields.filter(name => name !== 'stream_key' && name !== 'ingest_server')
  )
})

t.test('lists and their paging are those of the examples', async t => {
  const { call, started } = await simulate(t)
  const { meeting, livestream } = await started()
  const all = (await call('GET', '/livestreams')).json
  t.strictSame(all.paging, one)
  t.strictSame(all.data.map(keys), [livestreamFields])
  for (const path of [`/livestreams/${livestream}`, `/meetings/${meeting}/livestream`]) {
    const { data, paging } = (await call('GET', path)).json
    t.strictSame(paging, one)
    t.strictSame(keys(data), ['livestream', 'sessions'])
    t.strictSame(keys(data.livestream), livestreamFields)
    t.strictSame(data.sessions.map(keys), [sessionFields])
  }
})

t.test('lists can have the shapes of the schema instead', async t => {
  const { simulator, call, started } = await simulate(t, { lists: 'schema' })
  t.strictSame((await call('GET', '/livestreams')).json.data, {
    paging: { total_count: 0, start_offset: 1, end_offset: 0 }
  })
  const { meeting, livestream } = await started()
  const all = (await call('GET', '/livestreams')).json
  t.strictSame(keys(all), ['data', 'success'])
  t.strictSame(keys(all.data), [...livestreamFields, 'paging'].sort())
  const single = (await call('GET', `/livestreams/${livestream}`)).json.data
  t.strictSame(keys(single), ['livestream', 'paging', 'session'])
  t.strictSame(keys(single.session), sessionFields)
  const ofMeeting = (await call('GET', `/meetings/${meeting}/livestream`)).json.data
  t.strictSame(keys(ofMeeting), ['livestreams', 'paging', 'sessions'])
  t.strictSame(ofMeeting.livestreams.map(keys), [livestreamFields])
  t.strictSame(keys(ofMeeting.sessions), sessionFields)
  t.match((await call('GET', `/livestreams/${livestream}?page_no=2`)).json.data, { session: null })
  t.match((await call('GET', `/meetings/${meeting}/livestream?page_no=2`)).json.data, { sessions: null })
  const independent = (await call('POST', '/livestreams')).json.data.id
  t.match(simulator.livestreams()[1], { id: independent, starts: 0, sessions: [] })
})

t.test('sessions by livestream, by their own id and by the session of the meeting', async t => {
  const { call, started } = await simulate(t)
  const { livestream } = await started()
  const active = (await call('GET', `/livestreams/${livestream}/active-livestream-session`)).json.data
  t.strictSame(keys(active), ['livestream', 'session'])
  t.strictSame(keys(active.livestream), livestreamFields)
  t.strictSame(keys(active.session), sessionFields)
  const single = (await call('GET', `/livestreams/sessions/${active.session.id}`)).json.data
  t.strictSame(single, active.session)
  const [{ id }] = (await call('GET', '/sessions')).json.data.sessions
  const ofSession = (await call('GET', `/sessions/${id}/livestream-sessions`)).json.data
  t.strictSame(ofSession, { data: [active.session], paging: one })
})

t.test('enable and disable add org_id, a reset gives a new stream key', async t => {
  const { simulator, clock, call, started } = await simulate(t)
  const { livestream } = await started()
  clock.pass(1_000)
  const disabled = (await call('PUT', `/livestreams/${livestream}/disable`)).json.data
  t.strictSame(keys(disabled), [...livestreamFields, 'org_id'].sort())
  t.match(disabled, { disabled: true, org_id: simulator.org, updated_at: '2026-01-05T10:00:01.000Z' })
  t.match((await call('PUT', `/livestreams/${livestream}/enable`)).json.data, { disabled: false })
  const [before] = simulator.livestreams()
  const reset = (await call('POST', `/livestreams/${livestream}/reset-stream-key`)).json.data
  t.strictSame(keys(reset), livestreamFields)
  t.not(reset.stream_key, before?.stream_key)
  t.equal(simulator.livestreams()[0]?.stream_key, reset.stream_key)
})
