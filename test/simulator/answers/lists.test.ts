import t from 'tap'
import { nobody, simulate } from '../../support/simulator/helper.ts'

const ids = (list: { id: string }[]): string[] => list.map(({ id }) => id)

t.test('pages count from 1, hold ten unless told, and say where they stand', async t => {
  const { call } = await simulate(t)
  const empty = { total_count: 0, start_offset: 1, end_offset: 0 }
  t.match((await call('GET', '/livestreams')).json, { data: [], paging: empty })
  for (let i = 0; i < 12; i++) await call('POST', '/livestreams')
  const first = (await call('GET', '/livestreams')).json
  t.strictSame(first.paging, { total_count: 12, start_offset: 1, end_offset: 10 })
  const second = (await call('GET', '/livestreams?page_no=2')).json
  t.strictSame(second.paging, { total_count: 12, start_offset: 11, end_offset: 12 })
  t.equal(new Set([...ids(first.data), ...ids(second.data)]).size, 12)
  t.equal((await call('GET', '/livestreams?per_page=3&page_no=2')).json.data.length, 3)
  const beyond = (await call('GET', '/livestreams?page_no=3')).json
  t.match(beyond, { data: [], paging: { total_count: 12, start_offset: 21, end_offset: 20 } })
})

t.test('livestreams are filtered by status, time and meeting, and sorted ASC or DSC', async t => {
  const { clock, call, started } = await simulate(t)
  const { livestream } = await started()
  clock.pass(10_000)
  const { id } = (await call('POST', '/livestreams')).json.data
  const list = async (query: string): Promise<string[]> => ids((await call('GET', `/livestreams?${query}`)).json.data)
  t.strictSame(await list(''), [id, livestream])
  t.strictSame(await list('sort_order=DSC'), [id, livestream])
  t.strictSame(await list('sort_order=ASC'), [livestream, id])
  t.strictSame(await list('status=LIVE'), [livestream])
  t.strictSame(await list('status=IDLE'), [])
  t.strictSame(await list('exclude_meetings=true'), [id])
  t.strictSame(await list('exclude_meetings=false'), [id, livestream])
  t.strictSame(await list('start_time=2026-01-05T10:00:05.000Z'), [id])
  t.strictSame(await list('end_time=2026-01-05T10:00:00.000Z'), [livestream])
})

t.test('a query that says nothing meaningful is refused, and the parameter named', async t => {
  const { call } = await simulate(t)
  const bad = {
    page_no: ['0', '-1', '1.5', 'x', ''],
    per_page: ['0', 'ten'],
    status: ['OFFLINE', 'live'],
    sort_order: ['DESC', 'asc'],
    exclude_meetings: ['yes', '1'],
    start_time: ['yesterday'],
    end_time: ['']
  }
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      const { status, json } = await call('GET', `/livestreams?${name}=${value}`)
      t.equal(status, 422, `${name}=${value}`)
      t.match(json, { success: false, message: `[query] "${name}" must be` })
    }
  }
})

t.test('an unknown livestream, livestream session or session is a 404', async t => {
  const { call } = await simulate(t)
  const reads = [
    `/livestreams/${nobody}`,
    `/livestreams/${nobody}/active-livestream-session`,
    `/livestreams/sessions/${nobody}`,
    `/sessions/${nobody}`,
    `/sessions/${nobody}/livestream-sessions`
  ]
  for (const path of reads) {
    t.match(await call('GET', path), { status: 404, json: { error: { message: /^No .* found with id/ } } }, path)
  }
  for (const action of ['enable', 'disable'])
    t.match(await call('PUT', `/livestreams/${nobody}/${action}`), { status: 404 })
  t.match(await call('POST', `/livestreams/${nobody}/reset-stream-key`), { status: 404 })
})

t.test('a livestream that is not running has no active session', async t => {
  const { call } = await simulate(t)
  const { id } = (await call('POST', '/livestreams')).json.data
  t.match(await call('GET', `/livestreams/${id}/active-livestream-session`), { status: 404 })
})

t.test('a name outside of its pattern is refused, null and nothing are fine', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  for (const path of ['/livestreams', `/meetings/${id}/livestreams`]) {
    for (const name of ['with space', 'ü', 'a/b', 7, ['x']]) {
      const { status, json } = await call('POST', path, { name })
      t.equal(status, 422, `${JSON.stringify(name)} on ${path}`)
      t.match(json.message, '[body] "name" must be')
    }
  }
  for (const name of ['', null, 'Demo_1-x']) t.match(await call('POST', '/livestreams', { name }), { status: 201 })
  for (const video_config of [7, { height: 'tall' }, { width: 1.5 }]) {
    t.match(await call('POST', `/meetings/${id}/livestreams`, { video_config }), { status: 422 })
  }
  t.equal(simulator.livestreams().length, 3, 'nothing was made of what was refused')
  await call('POST', `/meetings/${id}/livestreams`, { name: 'talk', manual_ingest: true })
  t.match((await call('GET', `/meetings/${id}/active-livestream`)).json.data, { name: 'talk' })
})
