import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test('a start', async t => {
  const { asAcme, meeting, upstream, simulator, withKey } = await gateway(t)
  const start = `/v2/meetings/${meeting}/livestreams`

  await t.test('answers 201 with the livestream; the live check and the start are all that goes upstream', async t => {
    const reply = await asAcme('POST', start, { name: 'friday-show' })
    t.equal(reply.statusCode, 201)
    t.match(reply.json(), { success: true, data: { status: 'INVOKED', name: 'friday-show', meeting_id: meeting } })
    t.strictSame(upstream(), [`GET /v2/meetings/${meeting}/active-livestream`, `POST ${start}`])
    t.match(simulator.journal.at(-1), { body: '{"name":"friday-show"}' })
  })

  await t.test('a start of a live meeting answers 200 with the same livestream and starts nothing', async t => {
    const again = await asAcme('POST', start)
    t.equal(again.statusCode, 200)
    t.equal(again.json().data.id, simulator.livestreams()[0]?.id)
    t.equal(simulator.livestreams()[0]?.starts, 1)
  })

  await t.test('shows where to send video, and the key, for the scope stream-key:read alone', async t => {
    const withScope = await asAcme('POST', start)
    t.match(withScope.json().data, { stream_key: String, ingest_server: String })
    t.equal(withScope.headers['cache-control'], 'no-store')
    const { call } = await withKey('acme', ['livestreams:start'])
    const without = await call('POST', start)
    t.equal(without.statusCode, 200)
    t.notMatch(Object.keys(without.json().data), ['stream_key'])
    t.notMatch(without.body, 'ingest')
  })
})

t.test('fifty starts at once start one livestream: one caller gets 201, the others 200', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const replies = await Promise.all(Array.from({ length: 50 }, start))
  const statuses = replies.map(reply => reply.statusCode).sort()
  t.strictSame(statuses, [...Array(49).fill(200), 201])
  t.equal(new Set(replies.map(reply => reply.json().data.id)).size, 1)
  t.equal(simulator.journal.filter(({ method }) => method === 'POST').length, 1)
})

t.test('a browser that is faster than our look: the vendor says 409, the caller gets its livestream', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  simulator.failNext({ match: { method: 'GET' }, status: 404, body: {} })
  const theirs = simulator.startFromBrowser(meeting)
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal(reply.statusCode, 200)
  t.equal(reply.json().data.id, theirs.id)
})

t.test('a vendor that says 409 twice and shows no livestream is a 409, and the next start goes on', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const refused = { match: { method: 'POST' }, status: 409, body: {} }
  simulator.failNext([refused, refused])
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal(reply.statusCode, 409)
  t.equal(reply.json().error.type, 'already_live')
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
})

t.test('a caller that hangs up aborts nothing: the livestream is started and on record', async t => {
  const { meeting, simulator, url, events, withKey, door } = await gatewayBehindDoor(t)
  const { key } = await withKey('acme', ['livestreams:start'])
  door.hold('POST')
  const hangUp = new AbortController()
  const call = fetch(`${url}/v2/meetings/${meeting}/livestreams`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    signal: hangUp.signal
  })
  const ended = t.rejects(call, { name: 'AbortError' })
  await until(() => door.held().length === 1)
  hangUp.abort()
  await ended
  door.release()
  await until(async () => (await events()).some(({ unmapped }) => unmapped.outcome === 'done'))
  t.equal(simulator.livestreams()[0]?.starts, 1)
})

t.test('a vendor that says 409 and then cannot be asked: the start failed, and the caller hears it', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  simulator.failNext([
    { match: { method: 'POST' }, status: 409, body: {} },
    { match: { method: 'GET' } }, // the look before the start
    { match: { method: 'GET' }, status: 503 },
    { match: { method: 'GET' }, status: 503 }, // the lists that are asked instead
    { match: { method: 'GET' }, status: 503 } // the meeting's own livestream, where those can't be read
  ])
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal(reply.statusCode, 502)
  t.match(reply.json().error, { type: 'upstream_failed', outcome: 'failed' })
})

t.test('texts of the vendor of any length reach the caller, and lists that hold them', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const name = 'a'.repeat(5_000)
  const data = {
    id: 'a-livestream',
    status: 'INVOKED',
    name,
    stream_key: name,
    playback_url: `https://x.example/${name}`
  }
  simulator.failNext({ match: { method: 'POST' }, status: 201, body: { success: true, data } })
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal(reply.statusCode, 201)
  t.match(reply.json().data, { name, stream_key: name })
  t.equal((await asAcme('GET', '/v2/livestreams')).json().data[0].name, name)
})

t.test('a wall clock that was set back starts nothing second', async t => {
  const clock = manualClock()
  const { asAcme, meeting, simulator, directory } = await gateway(t, {
    clock,
    simulator: { activeDuringInvoked: '404', liveAfterMs: 60_000, startWhileLive: 'second', livestreamId: 'reused' }
  })
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal((await start()).statusCode, 201)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  clock.step(-5_000)
  await directory.pull()
  t.equal((await start()).statusCode, 201)
  t.equal((await start()).statusCode, 200)
  t.equal(
    simulator.livestreams().reduce((sum, { starts }) => sum + starts, 0),
    2
  )
})
