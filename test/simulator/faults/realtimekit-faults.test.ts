import t from 'tap'
import { nobody, send, simulate } from '../../support/simulator/helper.ts'

for (const vendor of ['dyte', 'realtimekit'] as const) {
  t.test(`a fault's path is that of the operation: ${vendor}`, async t => {
    const { simulator, call } = await simulate(t, { vendor })
    const { id } = simulator.addMeeting()
    simulator.failNext({
      match: { method: 'POST', path: `/meetings/${id}/livestreams` },
      hangUp: true,
      afterWork: true
    })
    t.equal((await call('GET', '/meetings')).status, 200)
    await t.rejects(call('POST', `/meetings/${id}/livestreams`))
    t.match(simulator.livestreams(), [{ meeting_id: id, starts: 1 }])
    const [, lost] = simulator.journal
    t.match(lost, { status: null, executed: true, target: new RegExp(`/meetings/${id}/livestreams$`) })
  })
}

t.test('a path elsewhere is none of an operation', async t => {
  const { simulator } = await simulate(t, { vendor: 'realtimekit' })
  const { token, account } = simulator
  simulator.fail({ match: { path: '/**' }, status: 503 })
  const headers = { authorization: `Bearer ${token}` }
  for (const target of ['/v2/meetings', `/client/v4/accounts/${account}/realtime/kit/${nobody}/meetings`])
    t.equal((await send(simulator, 'GET', target, undefined, headers)).status, 404)
})

t.test('retryAfterSeconds is a 429 of the edge', async t => {
  const { simulator, call } = await simulate(t, { vendor: 'realtimekit', quota: '100/60' })
  simulator.failNext({ retryAfterSeconds: 300 })
  const { status, headers, json } = await call('GET', '/meetings')
  t.equal(status, 429)
  t.match(headers, { 'retry-after': '300', ratelimit: '"default";r=99;t=60' })
  t.notOk('x-envoy-ratelimited' in headers)
  t.match(json, { errors: [{ code: 971 }] })
  simulator.failNext({ retryAfterSeconds: 1, status: 503, body: { busy: true }, headers: { ratelimit: 'nonsense' } })
  const other = await call('GET', '/meetings')
  t.match(other, { status: 503, json: { busy: true }, headers: { 'retry-after': '1', ratelimit: 'nonsense' } })
})

t.test('the journal shows the token as a fingerprint outside', async t => {
  const { simulator, call } = await simulate(t, { vendor: 'realtimekit' })
  await call('GET', '/meetings')
  const { text, json } = await send(simulator, 'GET', '/_simulator/journal')
  t.match(json.data[0].headers.authorization, /^Bearer sha256:[0-9a-f]{64}$/)
  t.notOk(text.includes(simulator.token))
})
