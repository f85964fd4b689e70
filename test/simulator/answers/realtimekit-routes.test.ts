import t from 'tap'
import { type Running, simulate } from '../../support/simulator/helper.ts'

/** Operations that Cloudflare dropped (contract#dropped-operations), with the status that they have in L2. */
async function dropped({ call, started }: Running): Promise<[string, string, number, object?][]> {
  const { meeting, livestream } = await started()
  const session = (await call('GET', `/meetings/${meeting}/active-session`)).json.data.id
  return [
    ['POST', '/livestreams', 201, { name: 'solo' }],
    ['PUT', `/livestreams/${livestream}/disable`, 200],
    ['PUT', `/livestreams/${livestream}/enable`, 200],
    ['POST', `/livestreams/${livestream}/reset-stream-key`, 200],
    ['GET', `/meetings/${meeting}/livestream`, 200],
    ['GET', `/sessions/${session}/livestream-sessions`, 200],
    ['POST', `/meetings/${meeting}/active-session/mute`, 200, { custom_participant_ids: ['guest-1'] }],
    ['POST', `/meetings/${meeting}/active-session/mute-all`, 200, { allow_unmute: true }]
  ]
}

t.test('operations that the vendor no longer documents are gone, and change nothing', async t => {
  const running = await simulate(t, { vendor: 'realtimekit' })
  const before = dropped(running)
  for (const [method, path, , body] of await before) {
    const { status, json } = await running.call(method, path, body)
    t.equal(status, 404, `${method} ${path}`)
    t.match(json, { success: false, errors: [{ code: 7000 }] })
  }
  t.equal(running.simulator.livestreams().length, 1)
})

t.test('dropped answer lets it work as in L2', async t => {
  const running = await simulate(t, { vendor: 'realtimekit', dropped: 'answer' })
  for (const [method, path, expected, body] of await dropped(running)) {
    const { status, json } = await running.call(method, path, body)
    t.equal(status, expected, `${method} ${path}`)
    t.match(json, { success: true, data: Object })
  }
  t.equal(running.simulator.livestreams().length, 2)
})

t.test('a livestream runs from its start to its stop, with everything that is documented', async t => {
  const { call, clock, simulator } = await simulate(t, { vendor: 'realtimekit' })
  const made = await call('POST', '/meetings', { title: 'Friday show' })
  t.equal(made.status, 201)
  const meeting = `/meetings/${made.json.data.id}`
  const started = await call('POST', `${meeting}/livestreams`)
  t.match(started, { status: 201, json: { success: true, data: { status: 'INVOKED' } } })
  const { id } = started.json.data
  clock.pass(2_000)
  t.match((await call('GET', `${meeting}/active-livestream`)).json.data, { id, status: 'LIVE' })
  const [run] = simulator.livestreams()[0]?.sessions ?? []
  const session = (await call('GET', `${meeting}/active-session`)).json.data.id
  const reads = [
    '/livestreams',
    `/livestreams/${id}`,
    `/livestreams/${id}/active-livestream-session`,
    `/livestreams/sessions/${run?.id}`,
    '/meetings',
    meeting,
    '/sessions',
    `/sessions/${session}`,
    '/analytics/livestreams/overall',
    '/analytics/livestreams/daywise'
  ]
  for (const path of reads) t.match(await call('GET', path), { status: 200, json: { success: true } }, path)
  t.equal((await call('PATCH', meeting, { title: 'x' })).status, 200)
  t.equal((await call('PUT', meeting, { title: 'y' })).status, 200)
  t.equal((await call('POST', `${meeting}/active-session/kick`, { custom_participant_ids: ['guest-1'] })).status, 200)
  t.equal((await call('POST', `${meeting}/active-session/kick-all`)).status, 200)
  t.match(await call('POST', `${meeting}/active-livestream/stop`), { status: 200, json: { data: { message: String } } })
  t.match(simulator.livestreams(), [{ id, status: 'IDLE', starts: 1 }])
})
