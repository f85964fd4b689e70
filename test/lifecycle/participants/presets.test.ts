import t from 'tap'
import type { PresetRule } from '../../../src/domain/preset.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { gateway, type TestContext } from '../../support/gateway.ts'

const wish = { custom_participant_id: 'guest', preset_name: 'livestream_viewer' }

/** A meeting with a participant, and the ways by which a token comes out. */
async function world(t: TestContext) {
  const known = await gateway(t, { unmoved: true })
  const { asAcme, meeting, store, directory, simulator } = known
  const path = `/v2/meetings/${meeting}/participants`
  const { id } = (await asAcme('POST', path, wish)).json().data
  async function rule(presetRule: Partial<PresetRule>): Promise<void> {
    await tenantsIn(store).update('acme', { presetRule }, Date.now())
    await directory.pull()
  }
  const ways = (preset_name: string) => [
    () => asAcme('POST', path, { ...wish, custom_participant_id: `of ${preset_name}`, preset_name }),
    () => asAcme('PATCH', `${path}/${id}`, { preset_name }),
    () => asAcme('PUT', `${path}/${id}`, { preset_name })
  ]
  /** By the preset that it has now. */
  const waysNow = [
    () => asAcme('POST', `${path}/${id}/token`),
    () => asAcme('PATCH', `${path}/${id}`, { name: 'Mary' }),
    () => asAcme('PATCH', `${path}/${id}`, { preset_name: null }),
    () => asAcme('PUT', `${path}/${id}`, {})
  ]
  return { ...known, path, id, rule, ways, waysNow, tokens: simulator.participantTokens }
}

t.test('a preset that the tenant may not give is refused wherever a token comes out, and nothing is sent', async t => {
  const { ways, waysNow, rule, tokens, simulator } = await world(t)
  const before = simulator.journal.filter(({ method }) => method !== 'GET').length
  for (const way of ways('webinar_presenter')) {
    const reply = await way()
    t.equal(says(reply), '403 preset_not_allowed not_sent')
    t.match(reply.json().error.message, /webinar_presenter/)
  }
  await rule({ presets: ['webinar_viewer'] })
  for (const way of [...ways('livestream_viewer'), ...waysNow])
    t.equal(says(await way()), '403 preset_not_allowed not_sent', 'by the preset that it has now')
  t.equal(simulator.journal.filter(({ method }) => method !== 'GET').length, before)
  t.equal(tokens.length, 1)
  await rule({ presets: null })
  for (const way of [...ways('group_call_participant'), ...waysNow]) t.ok((await way()).statusCode < 300)
})

t.test('a tenant whose server alone starts may give no preset that lets a browser start or record', async t => {
  const { ways, waysNow, rule, simulator, tokens } = await world(t)
  for (const [name, rights] of Object.entries({
    group_call_streams: { can_livestream: true },
    group_call_records: { can_record: true },
    group_call_hidden: { recorder_type: 'LIVESTREAMER' }
  }))
    simulator.addPreset({ name, ...rights })
  await rule({ serverStartsOnly: true })
  const before = tokens.length
  for (const name of ['livestream_host', 'group_call_streams', 'group_call_records', 'group_call_hidden'])
    for (const way of ways(name)) {
      const reply = await way()
      t.equal(says(reply), '403 preset_not_allowed not_sent', name)
      t.match(reply.json().error.message, /the server alone/)
    }
  t.equal(tokens.length, before)
  for (const way of [...ways('group_call_participant'), ...waysNow]) t.ok((await way()).statusCode < 300)
})

t.test('a preset that cannot be read is refused, and nothing is sent', async t => {
  const { asAcme, path, id, ways, waysNow, rule, simulator, tokens } = await world(t)
  await rule({ serverStartsOnly: true, presets: ['livestream_viewer', 'unknown'] })
  const before = tokens.length
  for (const way of ways('unknown')) t.equal(says(await way()), '503 preset_unreadable not_sent', 'not in the list')
  const { id: preset } = (await asAcme('GET', '/v2/presets')).json().data[0]
  const match = { path: `/presets/${preset}` }
  const permissions = { can_livestream: false, can_record: false }
  for (const [what, fault] of Object.entries({
    'the vendor fails': { status: 500 },
    'it is gone': { status: 404, body: { success: false } },
    'it says nothing of recording': {
      status: 200,
      body: { data: { id: preset, name: 'livestream_viewer', permissions: { can_livestream: false } } }
    },
    'it has another name by now': { status: 200, body: { data: { id: preset, name: 'other', permissions } } },
    'it is another one': { status: 200, body: { data: { id: 'p2', name: 'livestream_viewer', permissions } } }
  })) {
    const recover = simulator.fail({ match, ...fault })
    for (const way of waysNow) t.equal(says(await way()), '503 preset_unreadable not_sent', what)
    recover()
  }
  const recover = simulator.fail({ match: { path: `/meetings/${path.split('/')[3]}/participants/${id}` }, status: 500 })
  const refused = await waysNow[0]?.()
  t.equal(refused && says(refused), '503 preset_unreadable not_sent', 'nobody knows which preset it has')
  t.match(refused?.headers['retry-after'], /^\d+$/)
  recover()
  t.equal(tokens.length, before)
  for (const way of waysNow) t.ok((await way()).statusCode < 300)
})

t.test(
  'a participant who is gone by now gets no token, and one whose change has another preset is not shown',
  async t => {
    const { asAcme, path, id, simulator, meeting } = await world(t)
    const match = { path: `/meetings/${meeting}/participants/${id}` }
    simulator.failNext({ match: { ...match, method: 'GET' }, status: 404, body: { success: false } })
    t.equal(says(await asAcme('POST', `${path}/${id}/token`)), '404 participant_not_found not_sent')
    simulator.failNext({ match: { ...match, method: 'GET' }, status: 400, body: { success: false } })
    t.equal(says(await asAcme('POST', `${path}/${id}/token`)), '503 preset_unreadable not_sent')
    const data = { ...wish, id, preset_name: 'livestream_host', token: 'eyJ.secret' }
    simulator.failNext({ match: { ...match, method: 'PATCH' }, status: 200, body: { success: true, data } })
    const reply = await asAcme('PATCH', `${path}/${id}`, { name: 'Mary' })
    t.equal(says(reply), '502 upstream_malformed unknown')
    t.notMatch(reply.body, /secret/)
  }
)
