import t from 'tap'
import { nobody, simulate } from '../../support/simulator/helper.ts'

t.test('a meeting has an active session while a livestream of it runs', async t => {
  const { simulator, clock, call, started } = await simulate(t)
  const { id: quiet } = simulator.addMeeting()
  const none = await call('GET', `/meetings/${quiet}/active-session`)
  t.match(none, { status: 404, json: { error: { message: `No active session found for meeting_id ${quiet}` } } })
  const { meeting } = await started()
  clock.pass(90_000)
  const { data } = (await call('GET', `/meetings/${meeting}/active-session`)).json
  t.strictSame(Object.keys(data).sort(), [
    'associated_id',
    'breakout_rooms',
    'created_at',
    'ended_at',
    'id',
    'live_participants',
    'max_concurrent_participants',
    'meeting_display_name',
    'minutes_consumed',
    'organization_id',
    'started_at',
    'status',
    'type',
    'updated_at'
  ])
  t.match(data, { associated_id: meeting, status: 'LIVE', live_participants: 3, minutes_consumed: 1.5, ended_at: null })
  t.equal(data.organization_id, simulator.org)
  await call('POST', `/meetings/${meeting}/active-livestream/stop`)
  t.match(await call('GET', `/meetings/${meeting}/active-session`), { status: 404 })
  t.match((await call('GET', `/sessions/${data.id}`)).json.data.session, {
    status: 'ENDED',
    live_participants: 0,
    ended_at: '2026-01-05T10:01:30.000Z'
  })
})

t.test('participants are kicked and muted by either kind of id, and strangers are a 404', async t => {
  const { call, started } = await simulate(t)
  const { meeting } = await started()
  const stage = `/meetings/${meeting}/active-session`
  const muted = await call('POST', `${stage}/mute`, { custom_participant_ids: ['guest-1', 'guest-2'] })
  t.equal(muted.status, 200)
  t.match(muted.json.data, { action: 'mute', participants: [{ name: 'Host' }, { name: 'First guest' }] })
  t.strictSame(Object.keys(muted.json.data.participants[0]).sort(), [
    'created_at',
    'email',
    'id',
    'name',
    'picture',
    'updated_at'
  ])
  const [{ id }] = muted.json.data.participants
  const kicked = await call('POST', `${stage}/kick`, { participant_ids: [id] })
  t.match(kicked, { status: 200, json: { data: { action: 'kick', participants: [{ id }] } } })
  t.match((await call('GET', stage)).json.data, { live_participants: 2, max_concurrent_participants: 3 })
  for (const action of ['kick', 'mute']) {
    t.match(await call('POST', `${stage}/${action}`, { participant_ids: [id] }), {
      status: 404,
      json: { error: { message: `No user found with id ${id}` } }
    })
    t.match(await call('POST', `${stage}/${action}`, { participant_ids: 'all' }), { status: 422 })
  }
})

t.test('everybody is muted or kicked, and the livestream goes on', async t => {
  const { call, started } = await simulate(t)
  const { meeting } = await started()
  const stage = `/meetings/${meeting}/active-session`
  const muted = await call('POST', `${stage}/mute-all`, { allow_unmute: true })
  t.strictSame(muted.json.data, { action: 'mute-all', muted_participants_count: 3 })
  t.match(await call('POST', `${stage}/mute-all`, { allow_unmute: 'no' }), { status: 422 })
  const kicked = await call('POST', `${stage}/kick-all`)
  t.strictSame(kicked.json.data, { action: 'kick-all', kicked_participants_count: 3 })
  t.match((await call('GET', stage)).json.data, { status: 'LIVE', live_participants: 0 })
  t.match(await call('GET', `/meetings/${meeting}/active-livestream`), { status: 200 })
})

t.test('people who joined keep the session open until the last one is gone', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting({ title: 'Town hall' })
  const { session_id, livestream } = simulator.joinMeeting(id)
  t.equal(livestream, null)
  await call('POST', `/meetings/${id}/livestreams`)
  await call('POST', `/meetings/${id}/active-livestream/stop`)
  t.match((await call('GET', `/meetings/${id}/active-session`)).json.data, {
    id: session_id,
    meeting_display_name: 'Town hall'
  })
  await call('POST', `/meetings/${id}/active-session/kick-all`)
  t.match(await call('GET', `/meetings/${id}/active-session`), { status: 404 })
})

t.test('sessions are listed by status, meeting, title, time and order', async t => {
  const { simulator, clock, call, started } = await simulate(t)
  const { meeting } = await started()
  await call('POST', `/meetings/${meeting}/active-livestream/stop`)
  clock.pass(60_000)
  const { id: hall } = simulator.addMeeting({ title: 'Town hall' })
  simulator.joinMeeting(hall)
  const list = async (query: string): Promise<string[]> =>
    (await call('GET', `/sessions?${query}`)).json.data.sessions.map(
      (one: { associated_id: string }) => one.associated_id
    )
  t.strictSame(await list(''), [hall, meeting])
  t.strictSame(await list('sort_order=ASC&sort_by=createdAt'), [meeting, hall])
  t.strictSame(await list('status=LIVE'), [hall])
  t.strictSame(await list('status=ENDED'), [meeting])
  t.strictSame(await list(`associated_id=${meeting}`), [meeting])
  t.strictSame(await list(`associated_id=${nobody}`), [])
  t.strictSame(await list('search=town'), [hall])
  t.strictSame(await list('start_time=2026-01-05T10:00:30Z'), [hall])
  t.strictSame(await list('per_page=1&page_no=2'), [meeting])
  t.match(await call('GET', '/sessions?sort_order=DSC'), { status: 422 })
})
