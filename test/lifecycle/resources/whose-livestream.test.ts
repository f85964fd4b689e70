import { randomUUID } from 'node:crypto'
import t from 'tap'
import { gateway } from '../../support/gateway.ts'
import { freshKey } from '../../support/http/mutating.ts'
import { until } from '../../support/until.ts'

const shown = (id: string, more: object = {}) => ({
  success: true,
  data: { id, status: 'LIVE', stream_key: randomUUID(), ingest_server: 'rtmps://ingest.example', ...more }
})

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('an answer without its meeting is used when the livestream is known, or says whose it is', async t => {
  const { asAcme, meeting, simulator } = await gateway(t, { config: { readTtlMs: 1 } })
  const active = async (body: object) => {
    simulator.failNext({ match: { path: '/meetings/*/active-livestream', method: 'GET' }, status: 200, body })
    return asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  }
  const { id } = simulator.startFromBrowser(meeting)
  const byId = await active(shown(id, { playback_url: 'https://play.example/a' }))
  t.match(byId.json().data, { id, meeting_id: meeting, stream_key: String }, 'GET by id names this meeting')
  t.match((await active(shown(id))).json().data, { id, stream_key: String }, 'and now it is known')
})

t.test(
  'a livestream counts as live where nobody says whose it is, and is shown without what lets anybody use it',
  async t => {
    const { asAcme, meeting, simulator } = await gateway(t, { config: { readTtlMs: 1 } })
    const id = randomUUID()
    simulator.fail({
      match: { path: '/meetings/*/active-livestream', method: 'GET' },
      status: 200,
      body: shown(id, { playback_url: 'https://play.example/a' })
    })
    const reply = await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
    t.equal(reply.statusCode, 200)
    t.strictSame(Object.keys(reply.json().data).sort(), ['id', 'meeting_id', 'status'])
    const started = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    t.equal(started.statusCode, 200)
    t.notMatch(started.body, 'stream_key')
    t.equal(simulator.livestreams().length, 0, 'no start is sent')
    t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).statusCode, 404, 'and its id is not known')
    t.match((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).json().error, {
      outcome: 'unknown'
    })
  }
)

t.test("another tenant's livestream, shown in this meeting, is never passed on", async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator } = await gateway(t, { config: { readTtlMs: 1 } })
  const theirs = (await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).json().data
  const independent = (await asGlobex('POST', '/v2/livestreams', { name: 'theirs' })).json().data
  for (const { id } of [theirs, independent]) {
    for (const more of [{}, { meeting_id: meeting }]) {
      const body = shown(id, more)
      simulator.failNext({ match: { path: '/meetings/*/active-livestream', method: 'GET' }, status: 200, body })
      const reply = await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
      t.equal(reply.statusCode, 502)
      t.match(reply.json().error, { type: 'upstream_malformed' })
      t.notMatch(reply.body, body.data.stream_key)
    }
  }
  simulator.failNext({ match: { method: 'POST' }, status: 201, body: shown(theirs.id, { status: 'INVOKED' }) })
  const started = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal(started.statusCode, 502)
  t.match(started.json().error, { type: 'upstream_malformed', outcome: 'unknown' })
  t.notMatch(started.body, 'stream_key')
  t.equal((await asGlobex('GET', `/v2/livestreams/${theirs.id}`)).statusCode, 200, 'and it stays where it was')
})

t.test('a stop goes on although the vendor shows a livestream of another meeting', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, store } = await gateway(t)
  const theirs = (await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).json().data
  simulator.startFromBrowser(meeting)
  const confuse = simulator.fail({
    match: { path: `/meetings/${meeting}/active-livestream`, method: 'GET' },
    status: 200,
    body: shown(theirs.id)
  })
  simulator.failNext({ match: { method: 'POST' }, status: 404, body: {} })
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.match(reply.json().error, { type: 'upstream_malformed', outcome: 'unknown' })
  confuse()
  const stops = store.sql.selectFrom('operations').select('state').where('kind', '=', 'stop')
  await until(async () => (await store.engine.read(stops.compile()))[0]?.state === 'done', 20_000)
  t.equal(simulator.livestreams().find(({ meeting_id }) => meeting_id === meeting)?.status, 'IDLE')
})

t.test(
  'an answer without its meeting, whose livestream is of another meeting when it is asked for by id, is refused',
  async t => {
    const { asAcme, meeting, otherMeeting, simulator } = await gateway(t)
    const { id } = simulator.startFromBrowser(otherMeeting)
    simulator.failNext({ match: { path: `/meetings/${meeting}/active-livestream` }, status: 200, body: shown(id) })
    const reply = await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
    t.equal(reply.statusCode, 502)
    t.match(reply.json().error, { type: 'upstream_malformed' })
    t.notMatch(reply.body, 'stream_key')
  }
)

t.test("an answer for a meeting's livestream that shows another meeting's is refused", async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, store } = await gateway(t)
  const theirs = (await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).json().data
  const read = (body: object) => {
    simulator.failNext({ match: { path: '/meetings/*/livestream', method: 'GET' }, status: 200, body })
    return asAcme('GET', `/v2/meetings/${meeting}/livestream`)
  }
  const answerWith = (id: string) => {
    const { data } = shown(id, { meeting_id: meeting, name: 'the secret show' })
    return { success: true, data: { livestream: data, sessions: [] } }
  }
  const confused = answerWith(theirs.id)
  const reply = await read(confused)
  t.equal(reply.statusCode, 502)
  t.match(reply.json().error, { type: 'upstream_malformed' })
  for (const part of [confused.data.livestream.stream_key, theirs.id, 'the secret show']) t.notMatch(reply.body, part)
  const rows = await store.engine.read(store.sql.selectFrom('livestreams').select(['id', 'tenant_id']).compile())
  t.strictSame(rows, [{ id: theirs.id, tenant_id: 'globex' }], 'and it stays where it was')

  const unknown = randomUUID()
  t.match((await read(answerWith(unknown))).json().data.livestream, { id: unknown }, 'the answer fits else')
})

t.test("a list that shows another tenant's livestream in this meeting settles no start, and shows no key", async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, store, logs } = await gateway(t, {
    config: { readTtlMs: 60_000 }
  })
  const theirs = (await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).json().data
  const now = new Date(Date.now() + 1_000).toISOString()
  const { data } = shown(theirs.id, { meeting_id: meeting, stream_key: theirs.stream_key, created_at: now })
  const paging = { total_count: 1, start_offset: 1, end_offset: 1 }
  const body = { success: true, data: [data], paging }
  simulator.fail({ match: { path: '/livestreams', method: 'GET' }, status: 200, body })
  simulator.fail({ match: { path: `/meetings/${meeting}/livestreams`, method: 'POST' }, hangUp: true })
  const key = freshKey()
  const start = (headers = {}) => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {}, headers)
  const read = () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  const lost = await start(key)
  await until(() => /an operation (could not be|was) settled/.test(logs()), 20_000)
  const replies = [lost, await read(), await start(), await start(key)]
  t.match(replies[0]?.json().error, { outcome: 'unknown' })
  t.match(replies[2]?.json().error, { outcome: 'not_sent' }, 'the meeting is held')
  for (const { statusCode, body } of replies) {
    t.ok(statusCode >= 400)
    t.notMatch(body, theirs.stream_key)
    t.notMatch(body, theirs.id)
  }
  const starts = store.sql.selectFrom('operations').select('state').where('tenant_id', '=', 'acme')
  t.strictSame(await store.engine.read(starts.compile()), [{ state: 'unknown' }])
})

for (const how of ['refused', 'lost', 'lost, and settled later'] as const)
  t.test(`a livestream that nobody says whose it is becomes nobody's by a start that was ${how}`, async t => {
    const { asAcme, meeting, otherMeeting, simulator, store } = await gateway(t, { config: { readTtlMs: 1 } })
    const { id, stream_key } = simulator.startFromBrowser(otherMeeting)
    const path = `/v2/meetings/${meeting}`
    const active = { method: 'GET', path: '/meetings/*/active-livestream' }
    // Nothing is live when the start looks; after it the vendor is confused.
    simulator.failNext({ match: active, status: 404, body: {} })
    if (how === 'lost, and settled later') simulator.failNext({ match: active, hangUp: true }, 2)
    simulator.fail({ match: active, status: 200, body: shown(id, { stream_key }) })
    const { data: livestream } = shown(id, { stream_key })
    const data = { livestream, sessions: [], paging: { total_count: 0, start_offset: 1, end_offset: 0 } }
    simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 200, body: { success: true, data } })
    const no = { status: 409, body: { success: false, error: { code: 409, message: 'running' } } }
    simulator.failNext({ match: { method: 'POST' }, ...(how === 'refused' ? no : { hangUp: true }) })
    const started = await asAcme('POST', `${path}/livestreams`)
    t.equal(started.statusCode, { refused: 200, lost: 201, 'lost, and settled later': 502 }[how])
    const starts = store.sql.selectFrom('operations').select('state').where('kind', '=', 'start')
    await until(async () => (await store.engine.read(starts.compile()))[0]?.state === 'done', 20_000)
    const read = await asAcme('GET', `${path}/active-livestream`)
    t.strictSame(Object.keys(read.json().data).sort(), ['id', 'meeting_id', 'status'])
    t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).statusCode, 404, 'its id is not known')
    for (const { body } of [started, read]) t.notMatch(body, stream_key)
    t.strictSame(await store.engine.read(store.sql.selectFrom('livestreams').select('id').compile()), [])
  })
