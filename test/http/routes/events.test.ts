import t from 'tap'
import { parseNetwork } from '../../../src/domain/values/address.ts'
import { nextRevision, thisRevision } from '../../../src/store/schema/database.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { openStream } from '../../support/events.ts'
import { gateway } from '../../support/gateway.ts'
import { isEnvelope } from '../../support/http/helper.ts'
import { commitEvents } from '../../support/push/events.ts'
import { until } from '../../support/until.ts'

/** One address may have a quarter of all connections, unless it is that of a trusted proxy. */
const loopback = [parseNetwork('127.0.0.1/32')].filter(network => network !== null)

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test("a stream tells of the tenant's runs, and of no other tenant's", async t => {
  const { url, store, withKey, meeting, otherMeeting } = await gateway(t)
  const { key, call } = await withKey('acme', ['livestreams:read'])
  const stream = await openStream(t, url, key)
  t.equal(stream.statusCode, 200)
  t.match(stream.headers, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-request-id': String,
    'ratelimit-policy': '"read";q=600;w=60'
  })
  await commitEvents(store, 1, { tenantId: 'globex', meetingId: otherMeeting })
  await commitEvents(store, 1, { id: 'r1', meetingId: meeting, livestreamId: 'l1' })
  t.strictSame(await stream.first(1), [
    {
      event: 'livestream.live',
      id: '2',
      data: {
        type: 'livestream.live',
        run_id: 'r1',
        meeting_id: meeting,
        livestream_id: 'l1',
        status: 'live',
        playback_url: 'https://playback.example/1.m3u8',
        reason: null,
        at: '1970-01-01T00:00:02.000Z'
      }
    }
  ])
  const head = await call('HEAD', '/gateway/events')
  t.strictSame([head.statusCode, head.body], [200, ''])
  t.match(head.headers, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
  t.equal(
    stream.text().split('\n\n')[0],
    'retry: 2000\nid: 0',
    'the place from which a client resumes that sees no event'
  )
})

t.test('a client that comes back with the id of its last event misses nothing', async t => {
  const { url, store, withKey, meeting } = await gateway(t)
  const { key } = await withKey('acme', ['livestreams:read'])
  const first = await openStream(t, url, key)
  await until(() => first.lastId() === '0')
  first.close()
  await commitEvents(store, 3, { meetingId: meeting })
  const second = await openStream(t, url, key, { headers: { 'last-event-id': first.lastId() } })
  t.strictSame(
    (await second.first(3)).map(({ id }) => id),
    ['1', '2', '3']
  )
  second.close()
  await commitEvents(store, 1, { meetingId: meeting })
  const third = await openStream(t, url, key, { headers: { 'last-event-id': second.lastId() } })
  t.strictSame(
    (await third.first(1)).map(({ id }) => id),
    ['4']
  )
})

t.test('an id of another store is answered with a reset, and a bad one with a 400', async t => {
  const { url, store, withKey, meeting } = await gateway(t)
  const { key, call } = await withKey('acme', ['livestreams:read'])
  await commitEvents(store, 1, { meetingId: meeting })
  const stream = await openStream(t, url, key, { headers: { 'last-event-id': '99' } })
  t.strictSame(await stream.first(1), [{ event: 'reset', id: '1', data: { type: 'reset' } }])
  await commitEvents(store, 1, { meetingId: meeting })
  t.equal((await stream.first(2))[1]?.id, '2')

  for (const bad of ['', 'x', '-1', '1.5', '01', '1, 2', '1'.repeat(16)]) {
    const refused = await call('GET', '/gateway/events', undefined, { 'last-event-id': bad })
    t.ok(isEnvelope(refused, 400, 'invalid_input'), bad)
    t.strictSame(refused.json().error.details, [
      { field: 'header.last-event-id', message: 'must be the id of an event' }
    ])
  }
})

t.test("a stream can be of some meetings alone, and only of the tenant's own", async t => {
  const { url, store, simulator, withKey, meeting, otherMeeting, asAcme } = await gateway(t)
  const { key } = await withKey('acme', ['livestreams:read'])
  const second = (await asAcme('POST', '/v2/meetings', { title: 'Second' })).json().data.id
  const one = await openStream(t, url, key, { path: `/gateway/events?meeting_id=${meeting.toUpperCase()}` })
  const two = await openStream(t, url, key, { path: `/gateway/events?meeting_id=${meeting}&meeting_id=${second}` })
  await commitEvents(store, 1, { meetingId: 'another' })
  await commitEvents(store, 1, { meetingId: null })
  await commitEvents(store, 1, { meetingId: second })
  await commitEvents(store, 1, { meetingId: meeting })
  t.strictSame(
    (await one.first(1)).map(({ id }) => id),
    ['4']
  )
  t.strictSame(
    (await two.first(2)).map(({ id }) => id),
    ['3', '4']
  )

  const before = simulator.journal.length
  const refusals = []
  for (const id of [otherMeeting, '00000000-0000-4000-8000-000000000000']) {
    const { call } = await withKey('acme', ['livestreams:read'])
    const refused = await call('GET', `/gateway/events?meeting_id=${meeting}&meeting_id=${id}`)
    t.ok(isEnvelope(refused, 404, 'meeting_not_found'))
    refusals.push(refused.json().error.details)
  }
  t.strictSame(refusals[0], [{ field: 'query.meeting_id.1', message: 'is no meeting of this tenant' }])
  t.strictSame(refusals[1], refusals[0], "another tenant's looks like a missing one")
  t.equal(simulator.journal.length, before)

  const bad: [query: string, field: string][] = [
    ['meeting_id=a%2Fb', 'query.meeting_id.0'],
    ['meeting_id=', 'query.meeting_id.0'],
    [`${'meeting_id=a&'.repeat(101)}`, 'query.meeting_id'],
    ['meeting=a', 'query.meeting']
  ]
  for (const [query, field] of bad) {
    const refused = await asAcme('GET', `/gateway/events?${query}`)
    t.ok(isEnvelope(refused, 400, 'invalid_input'), query)
    t.equal(refused.json().error.details[0].field, field)
  }
})

t.test('the opening is on record at once, and its end is no second event', async t => {
  const { url, withKey, events, asAcme } = await gateway(t)
  const { key, id } = await withKey('acme', ['livestreams:read'])
  const opened = async () => (await events()).filter(({ actor }) => actor.user.uid === id)
  const stream = await openStream(t, url, key)
  await until(async () => (await opened()).length === 1)
  stream.close()
  await stream.ended
  await until(async () => (await asAcme('GET', '/gateway/usage')).json().data.in_flight.now === 1)
  const all = await opened()
  t.equal(all.length, 1)
  t.match(all[0], { api: { operation: 'streamEvents' }, status_id: 1, status_code: '200' })
})

t.test('a stream ends within 5 s of a revoked key, a suspended tenant and a scope that is gone', async t => {
  const { url, store, withKey } = await gateway(t)
  const revoked = await withKey('acme', ['livestreams:read'])
  const rescoped = await withKey('acme', ['livestreams:read'])
  const expires = await withKey('acme', ['livestreams:read'], { expiresAtMs: Date.now() + 1_500 })
  const stays = await withKey('acme', ['livestreams:read'])
  const other = await withKey('globex', ['livestreams:read'])
  const open = async ({ key }: { key: string }) => openStream(t, url, key)
  const streams = await Promise.all([revoked, rescoped, expires, stays, other].map(open))
  await until(() => streams.every(stream => stream.lastId() === '0'))
  const began = performance.now()
  await apiKeysIn(store).revoke(revoked.id, Date.now())
  const { sql, engine } = store
  const change = { scopes: '["meetings:read"]', revision: thisRevision() }
  const narrowed = sql.updateTable('api_keys').set(change).where('id', '=', rescoped.id)
  await engine.write([nextRevision(sql), narrowed.compile()])
  await tenantsIn(store).update('globex', { suspended: true }, Date.now())
  await Promise.all([0, 1, 2, 4].map(i => streams[i]?.ended))
  t.ok(performance.now() - began < 5_000)
  await commitEvents(store, 1)
  await streams[3]?.first(1)
})

t.test('streams of a tenant have a bound of their own, and are no work in flight', async t => {
  const { url, withKey, asAcme, asGlobex } = await gateway(t, { config: { maxStreams: 2, maxInFlight: 2 } })
  const { key, call } = await withKey('acme', ['livestreams:read'])
  const open = [await openStream(t, url, key), await openStream(t, url, key)]
  const refused = await call('GET', '/gateway/events')
  t.ok(isEnvelope(refused, 429, 'rate_limited'))
  t.strictSame(refused.json().error.details, [{ field: 'streams', message: 'at most 2 streams at the same time' }])
  t.equal(refused.headers['retry-after'], '5')
  t.strictSame((await asAcme('GET', '/gateway/usage')).json().data.in_flight, { now: 1, max: 2 })
  t.equal((await asGlobex('GET', '/gateway/events')).statusCode, 200, 'another tenant has its own')
  open[0]?.close()
  await until(async () => (await call('GET', '/gateway/events')).statusCode === 200)
})

t.test('streams of all tenants leave half of the connections to other calls', async t => {
  const { url, withKey } = await gateway(t, { config: { maxConnections: 20, trustedProxies: loopback } })
  for (const tenant of ['acme', 'globex']) {
    const { key } = await withKey(tenant, ['livestreams:read'])
    for (let i = 0; i < 5; i++) await openStream(t, url, key)
  }
  const { call } = await withKey('acme', ['livestreams:read'])
  const refused = await call('GET', '/gateway/events')
  t.ok(isEnvelope(refused, 429, 'rate_limited'))
  t.strictSame(refused.json().error.details, [
    { field: 'lasting', message: 'at most 10 streams and waits of all tenants' }
  ])
  t.equal((await call('GET', '/v2/livestreams')).statusCode, 200)
})

t.test('a page of a listed origin may open a stream', async t => {
  const origin = 'https://app.example'
  const { url, withKey, as } = await gateway(t, { config: { corsOrigins: [origin] } })
  const { key } = await withKey('acme', ['livestreams:read'])
  const asked = { origin, 'access-control-request-method': 'GET' }
  const preflight = await as(null)('OPTIONS', '/gateway/events', undefined, {
    ...asked,
    'access-control-request-headers': 'authorization,last-event-id'
  })
  t.equal(preflight.statusCode, 204)
  t.match(String(preflight.headers['access-control-allow-headers']), /last-event-id/i)
  const stream = await openStream(t, url, key, { headers: { origin } })
  t.match(stream.headers, { 'access-control-allow-origin': origin, 'access-control-expose-headers': /X-Request-Id/ })
})

t.test('the end of the gateway ends streams at once, and none begins any more', async t => {
  const { url, withKey, close } = await gateway(t, { config: { shutdownMs: 60_000 } })
  const { key } = await withKey('acme', ['livestreams:read'])
  const stream = await openStream(t, url, key)
  const began = performance.now()
  await Promise.all([stream.ended, close()])
  t.ok(performance.now() - began < 5_000)
})
