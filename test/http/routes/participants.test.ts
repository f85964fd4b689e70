import { randomUUID } from 'node:crypto'
import t from 'tap'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test('participants are listed and fetched, and never with a token', async t => {
  const { asAcme, meeting, simulator } = await gateway(t, { unmoved: true })
  const path = `/v2/meetings/${meeting}/participants`
  t.match((await asAcme('GET', path)).json(), { success: true, data: [], paging: { total_count: 0 } })
  const ids = ['a', 'b', 'c'].map(name => simulator.addParticipant(meeting, { name, custom_participant_id: name }).id)
  const page = await asAcme('GET', `${path}?page_no=2&per_page=2`)
  t.match(page.json(), {
    data: [{ id: ids[2], name: 'c', custom_participant_id: 'c', preset_name: 'livestream_viewer' }],
    paging: { total_count: 3, start_offset: 3, end_offset: 3 }
  })
  t.ok(page.headers['cache-status'])
  t.equal((await asAcme('GET', `${path}/${ids[2]}`)).json().data.name, 'c')
  const data = {
    id: ids[2],
    custom_participant_id: 'c',
    preset_name: 'x',
    token: 'eyJ',
    organization_id: simulator.org
  }
  simulator.failNext({ match: { path: `/meetings/${meeting}/participants` }, status: 200, body: { data: [data] } })
  const { id, custom_participant_id, preset_name } = data
  t.strictSame((await asAcme('GET', `${path}?page_no=1`)).json().data, [{ id, custom_participant_id, preset_name }])
})

t.test('an id that no answer has shown is nobody: the vendor is not asked, whoever it is', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, upstream } = await gateway(t)
  const { id } = simulator.addParticipant(meeting)
  const path = `/v2/meetings/${meeting}/participants`
  t.equal(says(await asAcme('GET', `${path}/${id}`)), '404 participant_not_found')
  await asAcme('GET', path)
  t.equal((await asAcme('GET', `${path}/${id.toUpperCase()}`)).json().data.id, id)
  const before = upstream().length
  const foreign = await asGlobex('GET', `/v2/meetings/${otherMeeting}/participants/${id}`)
  const missing = await asGlobex('GET', `/v2/meetings/${otherMeeting}/participants/${randomUUID()}`)
  t.equal(says(foreign), '404 participant_not_found')
  t.equal(says(missing), '404 participant_not_found')
  t.equal(upstream().length, before)
})

t.test('a participant who is gone, or is another one, is not shown', async t => {
  const { asAcme, meeting, simulator } = await gateway(t, { unmoved: true, config: { readTtlMs: 0 } })
  const { id } = simulator.addParticipant(meeting)
  await asAcme('GET', `/v2/meetings/${meeting}/participants`)
  const match = { path: `/meetings/${meeting}/participants/${id}` }
  const data = { id: randomUUID(), custom_participant_id: 'a', preset_name: 'b' }
  simulator.failNext({ match, status: 200, body: { success: true, data } })
  t.equal(says(await asAcme('GET', `/v2${match.path}`)), '502 upstream_malformed')
  simulator.failNext({ match, status: 404, body: { success: false } })
  t.equal(says(await asAcme('GET', `/v2${match.path}`)), '404 participant_not_found')
})

t.test(
  'a vendor that says 404 of a meeting without participants has none, and no list is cut short by an odd id',
  async t => {
    const { asAcme, meeting, simulator } = await gateway(t, { config: { readTtlMs: 0 } })
    const match = { path: `/meetings/${meeting}/participants` }
    simulator.failNext({ match, status: 404, body: { success: false } })
    t.strictSame((await asAcme('GET', `/v2${match.path}`)).json().data, [])
    const shown = (id: string) => ({ id, custom_participant_id: 'a', preset_name: 'b' })
    const [odd, plain] = ['a/b', randomUUID()].map(shown)
    simulator.failNext({ match, status: 200, body: { success: true, data: [odd, plain] } })
    t.strictSame((await asAcme('GET', `/v2${match.path}`)).json().data, [plain])
  }
)

t.test('a store that cannot be written holds no list back: its participants are known with the next one', async t => {
  const { asAcme, meeting, simulator, storeFile, logs } = await gateway(t, { config: { readTtlMs: 0 } })
  const { id } = simulator.addParticipant(meeting)
  const path = `/v2/meetings/${meeting}/participants`
  const unlock = lockStore(storeFile)
  t.match((await asAcme('GET', path)).json().data, [{ id }])
  await until(() => logs().includes('participants that were seen could not be kept'))
  unlock()
  t.equal((await asAcme('GET', `${path}/${id}`)).statusCode, 404)
  await asAcme('GET', path)
  t.equal((await asAcme('GET', `${path}/${id}`)).statusCode, 200)
})

t.test('a tenant is shown the presets that it may give, and no other', async t => {
  const { asAcme, asGlobex, store, directory, upstream } = await gateway(t, { config: { readTtlMs: 60_000 } })
  const names = async (query = '') =>
    (await asAcme('GET', `/v2/presets${query}`)).json().data.map(({ name }: { name: string }) => name)
  t.strictSame(await names(), ['group_call_host', 'group_call_participant', 'livestream_host', 'livestream_viewer'])
  t.strictSame(await names('?search=host&page_no=2&per_page=1'), ['livestream_host'])
  t.match((await asAcme('GET', '/v2/presets?per_page=3')).json().paging, { total_count: 4, end_offset: 3 })
  await tenantsIn(store).update('acme', { presetRule: { presets: ['webinar_viewer', 'none'] } }, Date.now())
  await directory.pull()
  t.strictSame(await names(), ['webinar_viewer'])
  t.equal((await asGlobex('GET', '/v2/presets')).json().data.length, 4)
  t.equal(upstream().filter(call => call.includes('/presets')).length, 2, 'those who ask together share an answer')
})

t.test('presets on several pages are all seen', async t => {
  const { asAcme, simulator } = await gateway(t)
  const page = (from: number, count: number) => {
    const data = Array.from({ length: count }, (_, i) => ({ id: `p${from + i}`, name: `group_call_${from + i}` }))
    const paging = { total_count: 120, start_offset: from + 1, end_offset: from + count }
    return { match: { path: '/presets' }, status: 200, body: { success: true, data, paging } }
  }
  simulator.failNext([page(0, 100), page(100, 20)])
  t.match((await asAcme('GET', '/v2/presets?page_no=2&per_page=100')).json(), {
    data: [{ id: 'p100' }],
    paging: { total_count: 120, end_offset: 120 }
  })
})
