import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

const keys = (value: object): string[] => Object.keys(value).sort()
const startFields = ['id', 'ingest_server', 'meeting_id', 'name', 'playback_url', 'status', 'stream_key']
const livestreamFields = [...startFields, 'ingest_seconds', 'viewer_seconds'].sort()

t.test('on L1 create and start answer OFFLINE, each with its own fields', async t => {
  const { simulator, call } = await simulate(t, { contract: 'L1' })
  const created = await call('POST', '/livestreams', { name: 'demo-1' })
  t.equal(created.status, 201)
  t.strictSame(keys(created.json.data), livestreamFields)
  t.match(created.json.data, { status: 'OFFLINE', name: 'demo-1', meeting_id: null, ingest_seconds: 0 })
  const { id } = simulator.addMeeting()
  const started = await call('POST', `/meetings/${id}/livestreams`, { name: 'talk' })
  t.equal(started.status, 201)
  t.strictSame(keys(started.json.data), startFields)
  t.match(started.json.data, { status: 'OFFLINE', name: 'talk', meeting_id: id })
})

t.test('on L1 reads answer the flat object with its seconds, and a stop its own sentence', async t => {
  const { clock, call, started } = await simulate(t, { contract: 'L1' })
  const { meeting, livestream } = await started()
  clock.pass(12_000)
  for (const path of [`/meetings/${meeting}/active-livestream`, `/livestreams/${livestream}`]) {
    const { status, json } = await call('GET', path)
    t.equal(status, 200)
    t.strictSame(keys(json.data), livestreamFields)
    t.match(json.data, { status: 'LIVE', ingest_seconds: 10, viewer_seconds: 9.84 })
  }
  const stopped = await call('POST', `/meetings/${meeting}/active-livestream/stop`)
  t.strictSame(stopped.json, { success: true, data: { message: 'livestream stopped' } })
})

t.test('on L1 lists are pages with limit and offset', async t => {
  const { call, started } = await simulate(t, { contract: 'L1' })
  const { meeting } = await started()
  for (let i = 0; i < 16; i++) await call('POST', '/livestreams')
  const all = (await call('GET', '/livestreams')).json
  t.strictSame(keys(all), ['data', 'message', 'success'])
  t.equal(all.message, '')
  const { livestreams, ...head } = all.data
  t.strictSame(head, { limit: 10, total: 17, total_count: 17, page_count: 2, current_page: 1 })
  t.equal(livestreams.length, 10)
  t.strictSame(keys(livestreams[0]), livestreamFields)
  const rest = (await call('GET', '/livestreams?limit=10&offset=10')).json.data
  t.match(rest, { current_page: 2, limit: 10 })
  t.equal(rest.livestreams.length, 7)
  t.match((await call('GET', '/livestreams?excludeMeetings=true')).json.data, { total: 16 })
  t.match((await call('GET', `/meetings/${meeting}/livestreams`)).json.data, {
    total: 1,
    livestreams: [{ meeting_id: meeting }]
  })
  t.equal((await call('GET', '/livestreams?limit=0')).status, 422)
})

t.test('operations that came with L2 are unknown to L1, and the other way round', async t => {
  const l1 = await simulate(t, { contract: 'L1' })
  const { meeting, livestream } = await l1.started()
  const newer = [
    ['GET', `/livestreams/${livestream}/active-livestream-session`],
    ['PUT', `/livestreams/${livestream}/disable`],
    ['POST', `/livestreams/${livestream}/reset-stream-key`],
    ['GET', `/meetings/${meeting}/livestream`],
    ['PUT', `/meetings/${meeting}`],
    ['GET', '/analytics/livestreams/overall'],
    ['GET', `/sessions/${meeting}/livestream-sessions`]
  ] as const
  for (const [method, path] of newer) {
    t.match(await l1.call(method, path), { status: 404, json: { error: { message: /^No route/ } } }, path)
  }
  const l2 = await simulate(t)
  const { meeting: other } = await l2.started()
  t.match(await l2.call('GET', `/meetings/${other}/livestreams`), { status: 404, json: { error: { code: 404 } } })
})
