import t from 'tap'
import { nobody, simulate } from '../../support/simulator/helper.ts'

const fields = [
  'created_at',
  'id',
  'live_stream_on_start',
  'persist_chat',
  'record_on_start',
  'status',
  'summarize_on_end',
  'title',
  'updated_at'
]

t.test('a meeting is created with the defaults of the contract and read back as it is', async t => {
  const { call } = await simulate(t)
  const created = await call('POST', '/meetings', {
    title: 'Weekly sync',
    record_on_start: null,
    transcribe_on_end: true
  })
  t.equal(created.status, 201)
  t.strictSame(Object.keys(created.json.data).sort(), fields)
  t.match(created.json.data, { title: 'Weekly sync', status: 'ACTIVE', record_on_start: false, persist_chat: false })
  const { id } = created.json.data
  t.strictSame((await call('GET', `/meetings/${id}`)).json, { success: true, data: created.json.data })
  t.match((await call('POST', '/meetings')).json.data, { title: null, live_stream_on_start: false })
})

t.test('PATCH changes what it names, PUT replaces everything but the status', async t => {
  const { clock, call } = await simulate(t)
  const { id } = (await call('POST', '/meetings', { title: 'One', persist_chat: true })).json.data
  clock.pass(1_000)
  const patched = await call('PATCH', `/meetings/${id}`, { status: 'INACTIVE', live_stream_on_start: true })
  t.equal(patched.status, 200)
  t.match(patched.json.data, { id, title: 'One', status: 'INACTIVE', live_stream_on_start: true, persist_chat: true })
  t.match(patched.json.data, { created_at: '2026-01-05T10:00:00.000Z', updated_at: '2026-01-05T10:00:01.000Z' })
  const put = await call('PUT', `/meetings/${id}`, { title: 'Two', status: 'ACTIVE', preferred_region: 'us-east-1' })
  t.equal(put.status, 200)
  t.match(put.json.data, { title: 'Two', status: 'INACTIVE', persist_chat: false, preferred_region: 'us-east-1' })
  const { id: other } = (await call('POST', '/meetings')).json.data
  t.match((await call('PUT', `/meetings/${other}`, { title: 'Three' })).json.data, { status: 'ACTIVE' })
})

t.test('meetings are listed in pages and found by id or title and time', async t => {
  const { clock, call } = await simulate(t)
  const { id: alpha } = (await call('POST', '/meetings', { title: 'Alpha' })).json.data
  clock.pass(5_000)
  const { id: untitled } = (await call('POST', '/meetings')).json.data
  const list = async (query: string): Promise<string[]> =>
    (await call('GET', `/meetings?${query}`)).json.data.map(({ id }: { id: string }) => id)
  t.strictSame(await list(''), [untitled, alpha])
  t.strictSame(await list('sort_order=ASC'), [alpha, untitled])
  t.strictSame(await list('search=alph'), [alpha])
  t.strictSame(await list(`search=${untitled}`), [untitled])
  t.strictSame(await list('start_time=2026-01-05T10:00:01Z'), [untitled])
  t.strictSame((await call('GET', '/meetings?per_page=1')).json.paging, {
    total_count: 2,
    start_offset: 1,
    end_offset: 1
  })
})

t.test('an id that is no UUID is a 422, an unknown one a 404, in every operation of a meeting', async t => {
  const { call } = await simulate(t)
  const operations = [
    ['GET', ''],
    ['PATCH', ''],
    ['PUT', ''],
    ['POST', '/livestreams'],
    ['GET', '/livestream'],
    ['GET', '/active-livestream'],
    ['POST', '/active-livestream/stop'],
    ['GET', '/active-session'],
    ['POST', '/active-session/kick'],
    ['POST', '/active-session/kick-all'],
    ['POST', '/active-session/mute'],
    ['POST', '/active-session/mute-all']
  ] as const
  for (const [method, path] of operations) {
    t.match(await call(method, `/meetings/${nobody}${path}`), {
      status: 404,
      json: { success: false, error: { code: 404, message: `No meeting found with id ${nobody}` } }
    })
    for (const id of ['not-a-uuid', `${nobody}0`, '%2e%2e', `${nobody}%00`]) {
      t.match(await call(method, `/meetings/${id}${path}`), {
        status: 422,
        json: { success: false, message: '[params] "id" must be a valid GUID' }
      })
    }
  }
})

t.test('a meeting that never had a livestream has none to show', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  t.match(await call('GET', `/meetings/${id}/livestream`), { status: 404, json: { error: { code: 404 } } })
})

t.test('a field of the wrong kind is refused and named', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  const bad = {
    title: 7,
    record_on_start: 'yes',
    live_stream_on_start: 1,
    persist_chat: null,
    preferred_region: 'mars',
    recording_config: [],
    status: 'GONE'
  }
  for (const [name, value] of Object.entries(bad)) {
    const { status, json } = await call('PATCH', `/meetings/${id}`, { [name]: value })
    t.equal(status, 422, name)
    t.match(json.message, `[body] "${name}" must be`)
  }
  t.match((await call('GET', `/meetings/${id}`)).json.data, { title: null, status: 'ACTIVE' })
})
