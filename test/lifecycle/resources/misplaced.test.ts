import t, { type Test } from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { gateway, type WorldOptions } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

/** A browser has begun globex' livestream, and the vendor has answered one start of acme with it. All its other answers are right. */
async function confused(t: Test, options: WorldOptions = {}) {
  const world = await gateway(t, { ...options, config: { readTtlMs: 1, ...options.config } })
  const { asAcme, meeting, otherMeeting, simulator, upstream, store } = world
  const { id, stream_key } = simulator.startFromBrowser(otherMeeting)
  simulator.failNext({
    match: { method: 'POST', path: `/meetings/${meeting}/livestreams` },
    status: 201,
    body: { success: true, data: { id, status: 'INVOKED', stream_key } }
  })
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`, { name: 'my show' })
  const asked = (begin: string): number => upstream().filter(call => call.startsWith(begin)).length
  return {
    ...world,
    id,
    asked,
    keyNow: () => simulator.livestreams().find(one => one.id === id)?.stream_key,
    stream_key,
    async row() {
      const wanted = store.sql.selectFrom('livestreams').selectAll().where('id', '=', id)
      return (await store.engine.read(wanted.compile()))[0]
    }
  }
}

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('one wrong answer to a start takes no livestream from its meeting', async t => {
  const { asAcme, asGlobex, otherMeeting, id, row, logs, events, meeting, asked } = await confused(t)
  const read = await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`)
  t.match(read.json().data, { id, meeting_id: otherMeeting, stream_key: String })
  t.match(await row(), { tenant_id: 'globex', meeting_id: otherMeeting, released_at: null, proved_at: Number })
  t.notMatch((await row())?.snapshot, 'my show', 'what was seen of it before is not kept')
  t.equal((await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).statusCode, 200)
  t.equal((await asGlobex('POST', `/v2/meetings/${otherMeeting}/active-livestream/stop`)).statusCode, 200)
  t.equal((await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).statusCode, 201)
  t.match((await asGlobex('GET', '/v2/livestreams')).json().data, [{ id, name: null }])
  t.strictSame((await asAcme('GET', '/v2/livestreams')).json().data, [])
  for (const [method, path] of [
    ['GET', ''],
    ['PUT', '/disable'],
    ['POST', '/reset-stream-key']
  ] as const)
    t.equal((await asAcme(method, `/v2/livestreams/${id}${path}`)).statusCode, 404)
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
  t.equal(asked('PUT') + asked('POST /v2/livestreams'), 0)
  t.match(logs(), /a livestream was put right/)
  const [moved, ...others] = (await events()).filter(({ api }) => api.operation === 'moveLivestream')
  t.match(moved, { actor: { user: { type: 'Gateway' } }, unmapped: { tenant_id: null, outcome: 'done' } })
  t.strictSame(others, [])
})

t.test('a start of unknown outcome is settled although its livestream was claimed by a wrong answer', async t => {
  const { asGlobex, otherMeeting, id, simulator, store } = await confused(t)
  await asGlobex('POST', `/v2/meetings/${otherMeeting}/active-livestream/stop`)
  simulator.failNext({ match: { method: 'POST', path: '/meetings/*/livestreams' }, hangUp: true, afterWork: true })
  const confuse = simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 500 })
  const lost = await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)
  t.match(lost.json().error, { outcome: 'unknown' })
  confuse()
  const starts = store.sql.selectFrom('operations').select(['state', 'livestream_id']).where('kind', '=', 'start')
  const ofGlobex = starts.where('tenant_id', '=', 'globex')
  await until(async () => (await store.engine.read(ofGlobex.compile()))[0]?.state === 'done', 30_000)
  t.match(await store.engine.read(ofGlobex.compile()), [{ livestream_id: id }])
  t.match((await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`)).json().data, { id })
})

for (const [method, path] of [
  ['PUT', '/enable'],
  ['PUT', '/disable'],
  ['POST', '/reset-stream-key']
] as const)
  t.test(`a livestream that a wrong answer has claimed is not changed by ${method} ${path}`, async t => {
    const { asAcme, id, asked, keyNow, stream_key, row } = await confused(t)
    const reply = await asAcme(method, `/v2/livestreams/${id}${path}`)
    t.equal(reply.statusCode, 404)
    t.strictSame(Object.keys(reply.json().error), ['code', 'type', 'message', 'request_id'], 'as one that nobody has')
    t.equal(asked('PUT') + asked('POST /v2/livestreams'), 0, 'nothing is sent')
    t.equal(keyNow(), stream_key)
    t.match(await row(), { tenant_id: 'globex' })
  })

t.test('one wrong answer to the making of a livestream takes none from its meeting', async t => {
  const { asAcme, asGlobex, otherMeeting, simulator } = await gateway(t, { config: { readTtlMs: 1 } })
  const { id, stream_key } = simulator.startFromBrowser(otherMeeting)
  const body = { success: true, data: { id, status: 'OFFLINE', stream_key, meeting_id: null } }
  simulator.failNext({ match: { method: 'POST', path: '/livestreams' }, status: 201, body })
  t.equal((await asAcme('POST', '/v2/livestreams', { name: 'my show' })).statusCode, 201)
  t.equal((await asAcme('POST', `/v2/livestreams/${id}/reset-stream-key`)).statusCode, 404)
  t.equal(simulator.livestreams()[0]?.stream_key, stream_key)
  t.match((await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`)).json().data, { id })
  t.strictSame((await asAcme('GET', '/v2/livestreams')).json().data, [])
})

t.test(
  'a tenant that has claimed it by a wrong answer gets nothing by reading it, and its meeting is free',
  async t => {
    for (const path of ['/v2/livestreams/ID', '/v2/livestreams/ID/active-livestream-session', '/v2/livestreams']) {
      const { asAcme, id, row, stream_key, meeting } = await confused(t)
      const reply = await asAcme('GET', path.replace('ID', id))
      t.notMatch(reply.body, stream_key)
      t.match(await row(), { tenant_id: 'globex' }, path)
      t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).statusCode, 404)
      t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
    }
  }
)

t.test(
  'a change of a livestream that no answer has named yet is preceded by one look, and later ones by none',
  async t => {
    const { asAcme, meeting, upstream } = await gateway(t)
    const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
    const disable = async () => {
      const before = upstream().length
      t.equal((await asAcme('PUT', `/v2/livestreams/${id}/disable`)).statusCode, 200)
      return upstream()
        .slice(before)
        .map(call => call.split('?')[0])
    }
    t.strictSame(await disable(), [`GET /v2/livestreams/${id}`, `PUT /v2/livestreams/${id}/disable`])
    t.strictSame(await disable(), [`PUT /v2/livestreams/${id}/disable`])
  }
)

t.test('nothing is sent while the vendor cannot say whose a livestream is', async t => {
  const { asAcme, meeting, upstream, simulator } = await gateway(t)
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 500 })
  const reply = await asAcme('POST', `/v2/livestreams/${id}/reset-stream-key`)
  t.equal(reply.statusCode, 502)
  t.match(reply.json().error, { outcome: 'not_sent' })
  t.notOk(upstream().some(call => call.endsWith('/reset-stream-key')))
})

t.test('a livestream that was begun rightly stays where it is, whichever single answer shows it elsewhere', async t => {
  for (const isProved of [false, true]) {
    const { asAcme, asGlobex, meeting, otherMeeting, simulator, upstream, store } = await gateway(t, {
      config: { readTtlMs: 1 }
    })
    const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
    const readMine = () => asAcme('GET', `/v2/livestreams/${id}`)
    if (isProved) await readMine()
    const data = { id, status: 'LIVE', meeting_id: otherMeeting, stream_key: 'k' }
    const active = { path: `/meetings/${otherMeeting}/active-livestream`, method: 'GET' }
    simulator.failNext({ match: active, status: 200, body: { success: true, data } })
    const before = upstream().length
    t.match((await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`)).json().error, {
      type: 'upstream_malformed'
    })
    t.equal(upstream().length - before, isProved ? 1 : 2, 'what is proved is not asked for')

    const body = { success: true, data: { livestream: data, sessions: [] } }
    simulator.failNext({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 200, body })
    t.notMatch((await readMine()).body, otherMeeting)
    t.match((await readMine()).json().data.livestream, { id, meeting_id: meeting })
    const rows = store.sql.selectFrom('livestreams').select(['id', 'tenant_id', 'meeting_id'])
    t.strictSame(await store.engine.read(rows.compile()), [{ id, tenant_id: 'acme', meeting_id: meeting }])
  }
})

t.test(
  'a livestream that turns out to be of a meeting without a holder is nobody’s until a tenant gets that meeting',
  async t => {
    const { asAcme, asGlobex, otherMeeting, id, store, directory } = await confused(t)
    const meetings = meetingsIn(store)
    await meetings.release(otherMeeting, Date.now())
    await directory.pull()
    t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).statusCode, 404)
    t.equal((await asAcme('POST', `/v2/livestreams/${id}/reset-stream-key`)).statusCode, 404)
    await meetings.assign('globex', 'default', [otherMeeting], Date.now())
    await directory.pull()
    t.match((await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`)).json().data, { id })
    t.equal((await asGlobex('GET', `/v2/livestreams/${id}`)).statusCode, 200)
  }
)

t.test('a claim that an earlier process has left is put right too', async t => {
  const world = await gateway(t, {
    config: { readTtlMs: 1 },
    async before(store, simulator) {
      const [meeting, otherMeeting] = (await meetingsIn(store).newest(2)).toSorted((a, b) =>
        a.tenantId.localeCompare(b.tenantId)
      )
      const { id } = simulator.startFromBrowser(otherMeeting?.id ?? '')
      const row = { id, tenant_id: 'acme', upstream: 'default', meeting_id: meeting?.id ?? '', status: 'INVOKED' }
      const times = { created_at: 1, observed_at: 1, revision: 1 }
      await store.engine.write([
        store.sql
          .insertInto('livestreams')
          .values({ ...row, ...times, snapshot: JSON.stringify({ id, status: 'INVOKED' }) })
          .compile()
      ])
    }
  })
  const { asAcme, asGlobex, otherMeeting, meeting } = world
  t.equal((await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`)).statusCode, 200)
  t.strictSame((await asAcme('GET', `/v2/livestreams?meeting_id=${meeting}`)).json().data ?? [], [])
})
