import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { gateway, type World } from '../../support/gateway.ts'
import { sessionIds } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

/** A live meeting of acme, with the ids of all that goes on in it as acme is shown them. */
async function live({ asAcme, meeting }: World) {
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  return sessionIds(asAcme, { meeting_id: meeting, livestream_id: id })
}

for (const lists of ['example', 'schema'] as const) {
  t.test(`the runs of a livestream by every way to them; forms of the ${lists}`, async t => {
    const world = await gateway(t, { simulator: { lists } })
    const { asAcme, meeting, simulator } = world
    const ids = await live(world)
    const [truth] = simulator.livestreams()
    const [run] = truth?.sessions ?? []
    t.equal(ids.livestream_session_id, run?.id)

    const active = await asAcme('GET', `/v2/livestreams/${ids.livestream_id}/active-livestream-session`)
    t.match(active.json(), {
      success: true,
      data: { livestream: { id: ids.livestream_id, meeting_id: meeting, status: 'LIVE' }, session: { id: run?.id } }
    })
    t.equal(active.json().data.livestream.stream_key, truth?.stream_key)
    t.equal(active.headers['cache-control'], 'no-store')
    t.ok(active.headers['cache-status'] && active.headers.age)

    const one = await asAcme('GET', `/v2/livestreams/sessions/${run?.id}`)
    t.match(one.json(), { success: true, data: { id: run?.id, livestream_id: ids.livestream_id, stopped_time: null } })
    t.ok(one.headers['cache-status'])

    const ofMeeting = await asAcme('GET', `/v2/meetings/${meeting}/livestream?page_no=1&per_page=5`)
    t.match(ofMeeting.json(), {
      data: { livestream: { id: ids.livestream_id, meeting_id: meeting }, sessions: [{ id: run?.id }] },
      paging: { total_count: 1, start_offset: 1, end_offset: 1 }
    })
    t.equal(ofMeeting.headers['cache-control'], 'no-store')

    const ofSession = await asAcme('GET', `/v2/sessions/${ids.session_id}/livestream-sessions`)
    t.match(ofSession.json(), { data: { data: [{ id: run?.id }], paging: { total_count: 1 } } })
    for (const { body } of [active, one, ofMeeting, ofSession]) t.notMatch(body, /org_id|organization_id/)

    await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
    const over = await asAcme('GET', `/v2/livestreams/${ids.livestream_id}/active-livestream-session`)
    t.equal(says(over), '404 no_active_session')
    t.match((await asAcme('GET', `/v2/livestreams/sessions/${run?.id}`)).json().data, { stopped_time: /Z$/ })
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}/livestream`)).json().data.livestream.status, 'IDLE')
  })
}

t.test('the place to send video to is shown with the scope for it alone', async t => {
  const world = await gateway(t)
  const ids = await live(world)
  const { call } = await world.withKey('acme', ['livestreams:read'])
  for (const path of [
    `/v2/livestreams/${ids.livestream_id}/active-livestream-session`,
    `/v2/meetings/${ids.meeting_id}/livestream`
  ]) {
    const reply = await call('GET', path)
    t.equal(reply.statusCode, 200)
    t.notMatch(reply.body, /stream_key|ingest_server/)
    t.equal(reply.headers['cache-control'], undefined)
  }
  const revealed = (await world.events()).filter(({ unmapped }) => unmapped.stream_key_revealed)
  t.notOk(revealed.some(({ unmapped }) => unmapped.key_id === undefined))
})

t.test('the id of a run or of a session is known only to whom an answer has shown it', async t => {
  const world = await gateway(t)
  const { asAcme, asGlobex, meeting, simulator, upstream } = world
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  const run = `/v2/livestreams/sessions/${simulator.livestreams()[0]?.sessions[0]?.id}`
  t.equal(says(await asAcme('GET', run)), '404 livestream_session_not_found', 'not shown yet')
  await asAcme('GET', `/v2/livestreams/${id}`)
  t.equal((await asAcme('GET', run)).statusCode, 200, 'shown with its livestream')

  const { id: session } = (await asAcme('GET', `/v2/meetings/${meeting}/active-session`)).json().data
  const runs = `/v2/sessions/${session}/livestream-sessions`
  t.equal((await asAcme('GET', runs)).statusCode, 200)
  const before = upstream().length
  t.equal(says(await asGlobex('GET', run)), '404 livestream_session_not_found')
  t.equal(says(await asGlobex('GET', runs)), '404 session_not_found')
  t.equal(says(await asAcme('GET', `/v2/livestreams/sessions/${session}`)), '404 livestream_session_not_found')
  t.equal(upstream().length, before, 'and the vendor hears of none')
})

t.test('runs that were shown go with their meeting, and its holder sees them once they are shown to it', async t => {
  const world = await gateway(t)
  const { asAcme, asGlobex, meeting, store, directory } = world
  const ids = await live(world)
  const run = `/v2/livestreams/sessions/${ids.livestream_session_id}`
  const runs = `/v2/sessions/${ids.session_id}/livestream-sessions`
  const statuses = async () => [
    (await asAcme('GET', run)).statusCode,
    (await asAcme('GET', runs)).statusCode,
    (await asGlobex('GET', run)).statusCode,
    (await asGlobex('GET', runs)).statusCode
  ]
  t.strictSame(await statuses(), [200, 200, 404, 404])
  await meetingsIn(store).release(meeting, Date.now())
  await directory.pull()
  t.strictSame(await statuses(), [404, 404, 404, 404])
  await meetingsIn(store).assign('globex', 'default', [meeting], Date.now())
  await directory.pull()
  t.strictSame(await statuses(), [404, 404, 404, 404], 'nothing was shown to the new one yet')
  await asGlobex('GET', `/v2/meetings/${meeting}/livestream`)
  await asGlobex('GET', `/v2/meetings/${meeting}/active-session`)
  t.strictSame(await statuses(), [404, 404, 200, 200])
})

t.test('a run or a livestream of somebody else in an answer reaches nobody', async t => {
  const world = await gateway(t, { unmoved: true })
  const { asAcme, asGlobex, simulator, meeting, otherMeeting } = world
  const ids = await live(world)
  const theirs = (await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).json().data.id
  const run = { id: ids.livestream_session_id, livestream_id: theirs }
  const livestream = { id: ids.livestream_id, status: 'LIVE', meeting_id: meeting }
  const answers: [string, object][] = [
    [`/livestreams/sessions/${ids.livestream_session_id}`, run],
    [`/livestreams/sessions/${ids.livestream_session_id}`, { ...run, id: 'x', livestream_id: ids.livestream_id }],
    [`/livestreams/${ids.livestream_id}/active-livestream-session`, { livestream, session: run }],
    [
      `/livestreams/${ids.livestream_id}/active-livestream-session`,
      { livestream: { ...livestream, meeting_id: otherMeeting }, session: { id: 'x' } }
    ],
    [
      `/livestreams/${ids.livestream_id}/active-livestream-session`,
      { livestream: { ...livestream, id: theirs }, session: { id: 'x' } }
    ],
    [`/meetings/${meeting}/livestream`, { livestream: { ...livestream, meeting_id: otherMeeting }, sessions: [] }],
    [`/meetings/${meeting}/livestream`, { livestream: { id: theirs, status: 'LIVE' }, sessions: [] }],
    [`/meetings/${meeting}/livestream`, { livestream, sessions: [run] }],
    [`/sessions/${ids.session_id}/livestream-sessions`, { data: [run] }],
    [`/sessions/${ids.session_id}/livestream-sessions`, { data: [{ id: 'x' }] }]
  ]
  for (const [path, data] of answers) {
    // Outdates the last answer, which would be shown as what it is: stale.
    await asAcme('PUT', `/v2/livestreams/${ids.livestream_id}/enable`)
    simulator.failNext({ match: { method: 'GET', path }, status: 200, body: { success: true, data } })
    t.equal(says(await asAcme('GET', `/v2${path}`)), '502 upstream_malformed', `${path} ${JSON.stringify(data)}`)
  }
})

t.test('a livestream that a browser began is learnt from the session in which it runs', async t => {
  const { asAcme, simulator, meeting } = await gateway(t)
  const { id } = simulator.startFromBrowser(meeting)
  const session = (await asAcme('GET', `/v2/meetings/${meeting}/active-session`)).json().data.id
  t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).statusCode, 404)
  const runs = () => asAcme('GET', `/v2/sessions/${session}/livestream-sessions`)
  // Rows of what was learnt are written behind the answer where the store is slow.
  await until(async () => (await runs()).statusCode === 200)
  const [run] = (await runs()).json().data.data
  t.equal(run.livestream_id, id)
  await until(async () => (await asAcme('GET', `/v2/livestreams/${id}`)).statusCode === 200)
  t.equal((await asAcme('GET', `/v2/livestreams/sessions/${run.id}`)).statusCode, 200)
})

t.test('under contract L1 what there is is built from the livestream, and what there is not says so', async t => {
  const { asAcme, meeting } = await gateway(t, { simulator: { contract: 'L1' } })
  t.equal(says(await asAcme('GET', `/v2/meetings/${meeting}/livestream`)), '404 livestream_not_found')
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  const ofMeeting = await asAcme('GET', `/v2/meetings/${meeting}/livestream`)
  t.match(ofMeeting.json(), { data: { livestream: { id, status: 'LIVE' }, sessions: [] }, paging: { total_count: 0 } })
  const active = `/v2/livestreams/${id}/active-livestream-session`
  t.equal(says(await asAcme('GET', active)), '501 not_offered_by_upstream')
})

t.test('those that ask together share an answer', async t => {
  const world = await gateway(t, { config: { readTtlMs: 60_000 } })
  const ids = await live(world)
  const before = world.upstream().length
  const paths = [
    `/v2/livestreams/sessions/${ids.livestream_session_id}`,
    `/v2/meetings/${ids.meeting_id}/livestream`,
    `/v2/sessions/${ids.session_id}/livestream-sessions`
  ]
  for (let i = 0; i < 5; i++) for (const path of paths) t.equal((await world.asAcme('GET', path)).statusCode, 200)
  t.equal(world.upstream().length - before, paths.length)
})
