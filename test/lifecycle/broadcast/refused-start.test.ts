import t from 'tap'
import { gateway } from '../../support/gateway.ts'

const refusal = (code: number, message = 'not now') => ({
  status: code,
  body: { success: false, error: { code, message } }
})

// Each has a gateway of its own, and waits for it.
t.jobs = 4

for (const status of [400, 403, 404, 409, 422]) {
  t.test(`a start that a browser was faster than, refused with ${status}, is answered with its livestream`, async t => {
    const { asAcme, meeting, simulator } = await gateway(t)
    const start = `/v2/meetings/${meeting}/livestreams`
    simulator.failNext([
      { match: { method: 'GET' }, status: 404, body: {} }, // the look before the start
      { match: { method: 'POST' }, ...refusal(status) }
    ])
    const { id } = simulator.startFromBrowser(meeting)
    const reply = await asAcme('POST', start)
    t.equal(reply.statusCode, 200)
    t.equal(reply.json().data.id, id)
  })
}

t.test('a start that the vendor refuses, and of which nothing came, is failed and frees its key', async t => {
  const { asAcme, meeting, simulator, store } = await gateway(t)
  const key = { 'idempotency-key': 'start-once' }
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, key)
  simulator.failNext({ match: { method: 'POST' }, ...refusal(410) })
  const reply = await start()
  t.equal(reply.statusCode, 502)
  t.match(reply.json().error, { type: 'upstream_refused', outcome: 'failed' })
  const [row] = await store.engine.read(store.sql.selectFrom('operations').selectAll().compile())
  t.match(row, { state: 'failed', answer: null, idempotency_fingerprint: null })
  t.equal((await start()).statusCode, 201)
})

t.test('a second sending follows the own words of the vendor, 400 or 409, and nothing else', async t => {
  const sendings = async (fault: object): Promise<number> => {
    const { asAcme, meeting, simulator } = await gateway(t)
    const path = `/v2/meetings/${meeting}/livestreams`
    simulator.failNext({ match: { method: 'POST' }, ...fault })
    await asAcme('POST', path)
    return simulator.journal.filter(({ method, target }) => method === 'POST' && target === path).length
  }
  t.equal(await sendings(refusal(400)), 2)
  t.equal(await sendings(refusal(409)), 2)
  const edge = { success: false, errors: [{ code: 1_000, message: 'edge' }], messages: [], result: null }
  const others = {
    'the edge 400': { status: 400, body: edge },
    'the edge 409': { status: 409, body: edge },
    401: { status: 401 },
    403: refusal(403),
    404: refusal(404),
    408: refusal(408),
    422: refusal(422),
    429: { retryAfterSeconds: 1 },
    500: { status: 500 },
    lost: { hangUp: true },
    malformed: { garbage: true }
  }
  for (const [what, fault] of Object.entries(others)) t.equal(await sendings(fault), 1, what)
})

for (const status of [400, 404, 409, 422]) {
  t.test(`a start that was executed, and answered ${status} with a success in its body, is not sent again`, async t => {
    const { asAcme, meeting, simulator } = await gateway(t, {
      simulator: { startWhileLive: 'second', activeDuringInvoked: '404', liveAfterMs: 60_000 }
    })
    const body = { success: true, data: { status: 'INVOKED', playback_url: 'https://playback.example/one' } }
    simulator.failNext({ match: { method: 'POST' }, afterWork: true, status, body })
    const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    t.match(reply.json().error, { type: 'upstream_malformed', outcome: 'unknown' })
    t.match(simulator.livestreams(), [{ starts: 1 }])
    t.equal(simulator.livestreams().length, 1)
  })
}

t.test('the second sending stands in the store and in the audit log before it goes out', async t => {
  const { asAcme, meeting, simulator, store, events } = await gateway(t)
  simulator.failNext({ match: { method: 'POST' }, ...refusal(400) })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  const [row] = await store.engine.read(store.sql.selectFrom('operations').selectAll().compile())
  t.type(row?.sent_again_at, 'number')
  const told = (await events()).filter(({ api }) => api.operation === 'startLivestream')
  t.strictSame(
    told.map(({ unmapped, status_detail }) => [unmapped.outcome, status_detail]),
    [
      ['pending', undefined],
      ['pending', 'sent_again'],
      ['done', undefined]
    ]
  )
})

t.test('a start of an INACTIVE meeting, and of a disabled livestream, is told as that', async t => {
  const { asAcme, meeting } = await gateway(t)
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal((await asAcme('PATCH', `/v2/meetings/${meeting}`, { status: 'INACTIVE' })).statusCode, 200)
  t.match((await start()).json().error, { code: 409, type: 'meeting_inactive', outcome: 'failed' })
  await asAcme('PATCH', `/v2/meetings/${meeting}`, { status: 'ACTIVE' })
  const { id } = (await start()).json().data
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal((await asAcme('PUT', `/v2/livestreams/${id}/disable`)).statusCode, 200)
  t.match((await start()).json().error, { code: 409, type: 'livestream_disabled', outcome: 'failed' })
})

t.test(
  'an ERRORED livestream and a vendor that calls it running: the caller is told, and nothing is stopped',
  async t => {
    const { asAcme, meeting, simulator, upstream } = await gateway(t, { simulator: { activeShowsEnded: true } })
    const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    simulator.end((await start()).json().data.id, 'ERRORED')
    const refused = { match: { method: 'POST' }, ...refusal(409) }
    simulator.failNext([refused, refused])
    t.match((await start()).json().error, { code: 409, type: 'already_live' })
    t.notMatch(upstream().join(), '/stop')
  }
)

for (const status of [400, 409]) {
  t.test(`a start refused with ${status}, with a look after it that fails, is failed and frees its key`, async t => {
    const { asAcme, meeting, simulator, store } = await gateway(t)
    const key = { 'idempotency-key': 'start-once' }
    const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, key)
    simulator.failNext([
      { match: { method: 'GET' }, status: 404, body: {} }, // the look before the start
      { match: { method: 'POST' }, ...refusal(status) }
    ])
    const seeAgain = simulator.fail({ match: { method: 'GET' }, status: 503 })
    const reply = await start()
    t.equal(reply.statusCode, 502)
    t.match(reply.json().error, { type: 'upstream_failed', outcome: 'failed' })
    const [row] = await store.engine.read(store.sql.selectFrom('operations').selectAll().compile())
    t.match(row, { state: 'failed', answer: null, idempotency_fingerprint: null })
    seeAgain()
    const again = await start()
    t.equal(again.statusCode, 201)
    t.equal(again.headers['idempotency-replayed'], undefined)
    t.equal(simulator.journal.filter(({ method }) => method === 'POST').length, 2, 'each was sent once')
  })
}
