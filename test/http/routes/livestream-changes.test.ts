import { randomUUID } from 'node:crypto'
import t from 'tap'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

const withoutTimes = ({ created_at: _created, updated_at: _updated, ...data }: Record<string, unknown>) => data

for (const lists of ['example', 'schema'] as const) {
  t.test(`a livestream without a meeting: made, disabled, enabled, with a new key; forms of the ${lists}`, async t => {
    const { asAcme, asGlobex, simulator } = await gateway(t, { simulator: { lists } })
    const made = await asAcme('POST', '/v2/livestreams', { name: 'studio-1' })
    t.equal(made.statusCode, 201)
    t.equal(made.headers['cache-control'], 'no-store')
    const [truth] = simulator.livestreams()
    const livestream = { id: truth?.id, name: 'studio-1', status: 'INVOKED', meeting_id: null, disabled: false }
    t.match(made.json().data, { ...livestream, stream_key: truth?.stream_key, ingest_server: /^rtmps:/ })
    const path = `/v2/livestreams/${truth?.id}`

    const disabled = await asAcme('PUT', `${path}/disable`)
    t.match(disabled.json(), { success: true, data: { ...livestream, disabled: true } })
    t.notMatch(disabled.body, /org_id/)
    t.equal((await asAcme('GET', path)).json().data.livestream.disabled, true)
    const enabled = await asAcme('PUT', `${path}/enable`, {})
    t.match(enabled.json(), { success: true, data: livestream })

    const reset = await asAcme('POST', `${path}/reset-stream-key`)
    t.equal(reset.statusCode, 200)
    t.not(reset.json().data.stream_key, made.json().data.stream_key)
    t.equal(reset.json().data.stream_key, simulator.livestreams()[0]?.stream_key)
    t.equal((await asAcme('GET', path)).json().data.livestream.stream_key, reset.json().data.stream_key)

    const listed = (await asAcme('GET', '/v2/livestreams?exclude_meetings=true')).json()
    t.match(listed, { data: [{ id: truth?.id, meeting_id: null }], paging: { total_count: 1 } })
    t.strictSame((await asGlobex('GET', '/v2/livestreams')).json().data, [])
    for (const [method, part] of [
      ['PUT', 'disable'],
      ['PUT', 'enable'],
      ['POST', 'reset-stream-key']
    ] as const) {
      t.equal(says(await asGlobex(method, `${path}/${part}`)), '404 livestream_not_found', part)
    }
  })
}

t.test('an answer shows where to send video, and is on record as such, only with the scope for it', async t => {
  const { withKey, events } = await gateway(t)
  const { call } = await withKey('acme', ['livestreams:manage'])
  const privileged = (await withKey('acme', ['livestreams:manage', 'stream-key:read'])).call
  const revealed: boolean[] = []
  for (const caller of [call, privileged]) {
    const made = await caller('POST', '/v2/livestreams')
    const path = `/v2/livestreams/${made.json().data.id}`
    const replies = [made, await caller('PUT', `${path}/disable`), await caller('PUT', `${path}/enable`)]
    replies.push(await caller('POST', `${path}/reset-stream-key`))
    for (const { body, headers } of replies) {
      const shows = /"stream_key"|"ingest_server"/.test(body)
      t.equal(shows, caller === privileged)
      t.equal(headers['cache-control'], shows ? 'no-store' : undefined)
      revealed.push(shows)
    }
  }
  const done = (await events()).filter(({ unmapped }) => unmapped.outcome === 'done')
  t.strictSame(
    done.map(({ unmapped }) => unmapped.stream_key_revealed === true),
    revealed
  )
  t.strictSame(
    done.slice(0, 4).map(({ api, activity_name }) => `${api.operation} ${activity_name}`),
    ['createLivestream Create', 'disableLivestream Update', 'enableLivestream Update', 'resetStreamKey Update']
  )
  t.ok(done.every(({ resources }) => resources.length === 1 && resources[0]?.type === 'livestream'))
})

t.test("a meeting's livestream is changed alike, and the change is seen at once in all that shows it", async t => {
  const { asAcme, meeting } = await gateway(t, { config: { readTtlMs: 60_000 } })
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  const active = async () => (await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).json().data
  const one = async () => (await asAcme('GET', `/v2/livestreams/${id}`)).json().data.livestream
  const before = [await active(), await one()]
  const { data } = (await asAcme('POST', `/v2/livestreams/${id}/reset-stream-key`)).json()
  t.match(data, { id, meeting_id: meeting, status: 'LIVE' })
  for (const { stream_key } of before) t.not(stream_key, data.stream_key)
  for (const { stream_key } of [await active(), await one()]) t.equal(stream_key, data.stream_key)
})

t.test("a livestream that is another tenant's already is given to nobody, whatever the vendor answers", async t => {
  const { asAcme, asGlobex, simulator, store, directory } = await gateway(t)
  const { id } = (await asGlobex('POST', '/v2/livestreams', { name: 'theirs' })).json().data
  const body = { success: true, data: { id, status: 'INVOKED', stream_key: 'k', meeting_id: null } }
  simulator.failNext({ match: { method: 'POST', path: '/livestreams' }, status: 201, body })
  const made = await asAcme('POST', '/v2/livestreams')
  t.equal(says(made), '502 upstream_malformed unknown')
  t.notMatch(made.body, /stream_key/)
  await directory.pull()
  t.equal(await livestreamsIn(store).find('acme', id), null)
  t.match(await livestreamsIn(store).find('globex', id), { id })
})

t.test('another object than the one that was asked for reaches nobody: the outcome is unknown', async t => {
  const { asAcme, simulator, meeting, otherMeeting } = await gateway(t, { unmoved: true })
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  const answers = [
    { id: 'another', status: 'LIVE', stream_key: 'k' },
    { id, status: 'LIVE', meeting_id: otherMeeting, stream_key: 'k' },
    null,
    [{ id, status: 'LIVE' }]
  ]
  for (const [method, path] of [
    ['PUT', `/livestreams/${id}/enable`],
    ['PUT', `/livestreams/${id}/disable`],
    ['POST', `/livestreams/${id}/reset-stream-key`]
  ] as const) {
    for (const data of answers) {
      simulator.failNext({ match: { method, path }, status: 200, body: { success: true, data } })
      const reply = await asAcme(method, `/v2${path}`)
      t.equal(says(reply), '502 upstream_malformed unknown', `${path} ${JSON.stringify(data)}`)
    }
  }
  const inMeeting = { id: 'new', status: 'INVOKED', meeting_id: otherMeeting }
  for (const data of [inMeeting, { id: '../x', status: 'INVOKED' }, null]) {
    simulator.failNext({ match: { method: 'POST', path: '/livestreams' }, status: 201, body: { success: true, data } })
    t.equal(says(await asAcme('POST', '/v2/livestreams')), '502 upstream_malformed unknown', JSON.stringify(data))
  }
})

t.test('a vendor of contract L1 has none of this but the making: 501, and nobody is told that it is gone', async t => {
  const { asAcme, meeting } = await gateway(t, { simulator: { contract: 'L1' } })
  const made = await asAcme('POST', '/v2/livestreams', { name: 'studio' })
  t.match(made.json().data, { status: 'OFFLINE', meeting_id: null, stream_key: String })
  const path = `/v2/livestreams/${made.json().data.id}`
  for (const [method, of] of [
    ['PUT', `${path}/enable`],
    ['PUT', `${path}/disable`],
    ['POST', `${path}/reset-stream-key`],
    ['PUT', `/v2/meetings/${meeting}`]
  ] as const) {
    const reply = await asAcme(method, of)
    t.equal(says(reply), '501 not_offered_by_upstream failed', of)
    t.match(reply.json().error.message, /does not have this operation/)
  }
  t.equal((await asAcme('GET', path)).statusCode, 200)
})

t.test('a livestream that the vendor does not have is a 404', async t => {
  const { asAcme, store } = await gateway(t)
  const id = randomUUID()
  const owner = { id, tenantId: 'acme', upstream: 'default', meetingId: null }
  await livestreamsIn(store).observe(owner, { id, status: 'INVOKED' }, Date.now())
  for (const [method, part] of [
    ['PUT', 'enable'],
    ['PUT', 'disable'],
    ['POST', 'reset-stream-key']
  ] as const) {
    t.equal(says(await asAcme(method, `/v2/livestreams/${id}/${part}`)), '404 livestream_not_found', part)
  }
})

t.test('the vendor sees an enabling and a disabling at once one after the other', async t => {
  const { asAcme, door, simulator } = await gatewayBehindDoor(t)
  const { id } = (await asAcme('POST', '/v2/livestreams')).json().data
  door.hold('PUT')
  const switching = Array.from({ length: 6 }, (_, i) =>
    asAcme('PUT', `/v2/livestreams/${id}/${i % 2 ? 'enable' : 'disable'}`)
  )
  await until(() => door.held().length > 0)
  await asAcme('GET', `/v2/livestreams/${id}`)
  t.equal(door.held().filter(line => line.startsWith('PUT')).length, 1)
  door.release()
  const replies = await Promise.all(switching)
  t.ok(replies.every(({ statusCode }) => statusCode === 200))
  const puts = simulator.journal.filter(({ method }) => method === 'PUT')
  t.equal(puts.length, 6)
  const last = puts.at(-1)?.target.endsWith('/disable')
  t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).json().data.livestream.disabled, last)
})

t.test('a caller that has waited for another switch is asked again whether it may', async t => {
  const { asAcme, withKey, store, directory, door, simulator } = await gatewayBehindDoor(t)
  const { id } = (await asAcme('POST', '/v2/livestreams')).json().data
  const waiter = await withKey('acme', ['livestreams:manage'])
  door.hold('PUT')
  const first = asAcme('PUT', `/v2/livestreams/${id}/disable`)
  await until(() => door.held().length > 0)
  const second = waiter.call('PUT', `/v2/livestreams/${id}/enable`)
  await asAcme('GET', `/v2/livestreams/${id}`)
  await apiKeysIn(store).revoke(waiter.id, Date.now())
  await directory.pull()
  door.release()
  t.equal((await first).statusCode, 200)
  t.equal((await second).statusCode, 401)
  t.equal(simulator.journal.filter(({ method }) => method === 'PUT').length, 1)
})

t.test('a livestream that waits for its encoder is not one that runs', async t => {
  const { asAcme, simulator } = await gateway(t)
  const { id } = (await asAcme('POST', '/v2/livestreams')).json().data
  const running = async () => (await asAcme('GET', '/gateway/usage')).json().data.live_livestreams
  t.equal(await running(), 0)
  simulator.ingest(id)
  t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).json().data.livestream.status, 'LIVE')
  t.equal(await running(), 1)
})

t.test('the fields of the vendor, and none besides', async t => {
  const { asAcme } = await gateway(t)
  const made = (await asAcme('POST', '/v2/livestreams', { name: null })).json().data
  const fields = ['disabled', 'id', 'ingest_server', 'meeting_id', 'name', 'playback_url', 'status', 'stream_key']
  t.strictSame(Object.keys(made).sort(), fields)
  const enabled = (await asAcme('PUT', `/v2/livestreams/${made.id}/enable`)).json().data
  t.strictSame(Object.keys(withoutTimes(enabled)).sort(), fields)
  for (const body of [{ names: 'x' }, { title: 'x' }, { name: 1 }]) {
    t.equal((await asAcme('POST', '/v2/livestreams', body)).statusCode, 400)
  }
})
