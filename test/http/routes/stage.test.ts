import t from 'tap'
import { says } from '../../support/campaigns/trouble.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test('people in a meeting are seen, muted and taken out', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const path = `/v2/meetings/${meeting}/active-session`
  t.equal(says(await asAcme('GET', path)), '404 no_active_session')
  simulator.joinMeeting(meeting)
  const session = await asAcme('GET', path)
  t.match(session.json(), {
    success: true,
    data: { associated_id: meeting, meeting_display_name: 'Friday show', status: 'LIVE', live_participants: 3 }
  })
  t.notMatch(session.body, /organization_id|org_id/)
  t.ok(session.headers['cache-status'])

  const muted = await asAcme('POST', `${path}/mute`, { custom_participant_ids: ['guest-1', 'guest-2'] })
  t.match(muted.json(), { data: { action: 'mute', participants: [{ name: 'Host' }, { name: 'First guest' }] } })
  const mutedAll = await asAcme('POST', `${path}/mute-all`, { allow_unmute: false })
  t.strictSame(mutedAll.json().data, { action: 'mute-all', muted_participants_count: 3 })
  const { id } = muted.json().data.participants[0]
  const kicked = await asAcme('POST', `${path}/kick`, { participant_ids: [id] })
  t.match(kicked.json(), { data: { action: 'kick', participants: [{ id, name: 'Host' }] } })
  t.equal((await asAcme('GET', path)).json().data.live_participants, 2)
  const kickedAll = await asAcme('POST', `${path}/kick-all`)
  t.strictSame(kickedAll.json().data, { action: 'kick-all', kicked_participants_count: 2 })
  t.equal(says(await asAcme('GET', path)), '404 no_active_session')
  const bodies = simulator.journal.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body))
  t.strictSame(bodies, [
    { custom_participant_ids: ['guest-1', 'guest-2'] },
    { allow_unmute: false },
    { participant_ids: [id] },
    {}
  ])
})

t.test('a change shows at once in what others have just read', async t => {
  const { asAcme, meeting, simulator } = await gateway(t, { config: { readTtlMs: 60_000 } })
  simulator.joinMeeting(meeting)
  const path = `/v2/meetings/${meeting}/active-session`
  t.equal((await asAcme('GET', path)).json().data.live_participants, 3)
  await asAcme('POST', `${path}/kick`, { custom_participant_ids: ['guest-3'] })
  t.equal((await asAcme('GET', path)).json().data.live_participants, 2)
})

t.test('a caller that names nobody, or in both ways, is told so, and nothing is sent', async t => {
  const { asAcme, meeting, simulator, upstream } = await gateway(t)
  simulator.joinMeeting(meeting)
  const path = `/v2/meetings/${meeting}/active-session`
  const both = { participant_ids: ['a'], custom_participant_ids: ['b'] }
  for (const action of ['kick', 'mute']) {
    for (const body of [undefined, {}, both, { participant_ids: [] }, { participant_ids: 'a' }, { ids: ['a'] }]) {
      const reply = await asAcme('POST', `${path}/${action}`, body)
      t.equal(says(reply), '400 invalid_input', `${action} ${JSON.stringify(body)}`)
      t.ok(reply.json().error.details.length > 0)
    }
  }
  t.equal((await asAcme('POST', `${path}/kick-all`, { participant_ids: ['a'] })).statusCode, 400)
  t.strictSame(upstream(), [])
})

t.test('nobody there, and somebody who is not there', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const path = `/v2/meetings/${meeting}/active-session`
  const somebody = { custom_participant_ids: ['nobody'] }
  for (const action of ['kick', 'mute']) {
    t.equal(says(await asAcme('POST', `${path}/${action}`, somebody)), '404 participant_not_found')
    t.equal(says(await asAcme('POST', `${path}/${action}-all`)), '404 no_active_session')
  }
  simulator.joinMeeting(meeting)
  t.equal(says(await asAcme('POST', `${path}/kick`, somebody)), '404 participant_not_found')
})

t.test("another meeting's session reaches nobody, nor does what is no session", async t => {
  const { asAcme, meeting, otherMeeting, simulator } = await gateway(t, { unmoved: true })
  const match = { method: 'GET', path: `/meetings/${meeting}/active-session` }
  for (const data of [
    { id: 's', associated_id: otherMeeting },
    { id: 's' },
    null,
    [{ id: 's', associated_id: meeting }]
  ]) {
    simulator.failNext({ match, status: 200, body: { success: true, data } })
    t.equal(says(await asAcme('GET', `/v2${match.path}`)), '502 upstream_malformed', JSON.stringify(data))
  }
  const rooms = [{ id: 'room', organization_id: simulator.org, meeting_display_name: 'Room 1', live_participants: 2 }]
  const data = {
    id: 's',
    associated_id: meeting,
    organization_id: simulator.org,
    meta: { a: 1 },
    breakout_rooms: rooms
  }
  simulator.failNext({ match, status: 200, body: { success: true, data } })
  t.strictSame((await asAcme('GET', `/v2${match.path}`)).json().data, {
    id: 's',
    associated_id: meeting,
    breakout_rooms: [{ id: 'room', meeting_display_name: 'Room 1', live_participants: 2 }]
  })
})

t.test('a store that cannot be written holds no look back: the session is known with the next one', async t => {
  const { asAcme, meeting, simulator, storeFile, logs } = await gateway(t)
  simulator.joinMeeting(meeting)
  const path = `/v2/meetings/${meeting}/active-session`
  const unlock = lockStore(storeFile)
  const { id } = (await asAcme('GET', path)).json().data
  await until(() => logs().includes('a session that was seen could not be kept'))
  unlock()
  t.equal((await asAcme('GET', `/v2/sessions/${id}/livestream-sessions`)).statusCode, 404)
  t.equal((await asAcme('GET', path)).statusCode, 200)
  t.equal((await asAcme('GET', `/v2/sessions/${id}/livestream-sessions`)).statusCode, 200)
})

t.test('a lost answer stays unknown, and nobody is taken out twice', async t => {
  const { asAcme, meeting, simulator, events } = await gateway(t)
  simulator.joinMeeting(meeting)
  const path = `/meetings/${meeting}/active-session/kick-all`
  simulator.failNext({ match: { method: 'POST', path }, hangUp: true, afterWork: true })
  const reply = await asAcme('POST', `/v2${path}`)
  t.match(says(reply), /^502 .* unknown$/)
  t.equal(simulator.journal.length, 1)
  const written = (await events()).map(({ api, activity_name, unmapped }) => [
    api.operation,
    activity_name,
    unmapped.outcome
  ])
  t.strictSame(written, [
    ['kickAllParticipants', 'Update', 'pending'],
    ['kickAllParticipants', 'Update', 'unknown']
  ])
})
