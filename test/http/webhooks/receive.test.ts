import { randomBytes, randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { manualClock } from '../../support/clock.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway, type WorldOptions } from '../../support/gateway.ts'
import { isEnvelope } from '../../support/http/helper.ts'
import { meetingNews, statusUpdate, webhookSender } from '../../support/http/webhooks.ts'
import { until } from '../../support/until.ts'

async function world(t: Test, options: WorldOptions = {}) {
  const running = await gateway(t, options)
  const { store, url, simulator } = running
  const rows = () => store.engine.read(store.sql.selectFrom('webhook_deliveries').selectAll().orderBy('seq').compile())
  return { ...running, ...webhookSender(url, simulator), rows }
}

for (const vendor of ['dyte', 'realtimekit'] as const) {
  t.test(`${vendor}: what happens at the vendor is known before anybody asks`, async t => {
    const { simulator, url, meeting, store, asAcme, rows } = await world(t, { simulator: { vendor } })
    const events = ['livestreaming.statusUpdate', 'meeting.started', 'meeting.ended']
    simulator.webhooks.register({ name: 'livegate', url: `${url}/webhooks/default`, events })
    const { id } = simulator.startFromBrowser(meeting)
    const status = async () => {
      const query = store.sql.selectFrom('livestreams').select(['status', 'tenant_id']).where('id', '=', id)
      return (await store.engine.read(query.compile()))[0]
    }
    await until(async () => (await status())?.status === 'LIVE')
    t.equal((await status())?.tenant_id, 'acme', 'a livestream that nobody has started here')
    simulator.end(id)
    await until(async () => (await status())?.status === 'IDLE')
    t.match((await asAcme('GET', '/v2/livestreams')).json().data, [{ id, status: 'IDLE', meeting_id: meeting }])
    await until(async () => (await rows()).length === 4 && (await rows()).every(row => row.noticed_at !== null))
    t.strictSame([...new Set(simulator.webhooks.sent.map(({ status }) => status))], [200])
  })
}

t.test(
  'shows of one meeting that follow each other at once are runs of their own, and each is told of when it is live',
  async t => {
    const { simulator, url, meeting, asAcme } = await world(t)
    simulator.webhooks.register({
      name: 'livegate',
      url: `${url}/webhooks/default`,
      events: ['livestreaming.statusUpdate']
    })
    const states = async () =>
      (await asAcme('GET', '/gateway/runs')).json().data.map(({ status }: { status: string }) => status)
    for (const before of [[], ['ended'], ['ended', 'ended']]) {
      const { id } = simulator.startFromBrowser(meeting)
      await until(async () => String(await states()) === String(['live', ...before]))
      simulator.end(id)
      await until(async () => String(await states()) === String(['ended', ...before]))
    }
    t.equal((await states()).length, 3)
  }
)

t.test('a webhook is kept without its body, and is looked after behind the answer', async t => {
  const { send, rows, meeting, upstream } = await world(t)
  const sessionId = randomUUID()
  const reply = await send(meetingNews('meeting.ended', meeting, sessionId), { 'rtk-uuid': 'delivery-1' })
  t.equal(reply.statusCode, 200)
  t.strictSame(reply.json(), { success: true })
  await until(async () => (await rows())[0]?.noticed_at !== null)
  const [row] = await rows()
  t.match(row, { upstream: 'default', delivery_id: 'delivery-1', event: 'meeting.ended', meeting_id: meeting })
  t.match(row, { session_id: sessionId, livestream_id: null, body_digest: /^[0-9a-f]{64}$/ })
  t.ok(upstream().includes(`GET /v2/meetings/${meeting}/active-livestream`))
})

t.test('a repetition is answered alike, and costs the vendor nothing', async t => {
  const { send, rows, meeting, upstream, asAcme } = await world(t)
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  const looks = () => upstream().filter(call => call.endsWith('/active-livestream')).length
  for (const body of [meetingNews('meeting.started', meeting), statusUpdate(id)]) {
    const before = (await rows()).length
    t.equal((await send(body, { 'rtk-uuid': `first-${before}` })).statusCode, 200)
    await until(async () => (await rows()).every(row => row.noticed_at !== null))
    const counted = looks()
    t.equal((await send(body, { 'rtk-uuid': `first-${before}` })).statusCode, 200, 'by its id')
    t.equal((await send(body)).statusCode, 200, 'by its body')
    t.equal((await send(body, { 'rtk-uuid': '' })).statusCode, 200, 'by its body, without an id')
    t.equal(
      (await send({ event: 'meeting.ended', meeting: { id: meeting } }, { 'rtk-uuid': `first-${before}` })).statusCode,
      200
    )
    t.equal((await rows()).length, before + 1)
    t.equal(looks(), counted)
  }
})

t.test('news in the words of before lead to a look when what is known is otherwise', async t => {
  const { send, simulator, meeting, rows, store, upstream } = await world(t)
  const { id } = simulator.startFromBrowser(meeting)
  const status = async (): Promise<string | undefined> => {
    const query = store.sql.selectFrom('livestreams').select('status').where('id', '=', id)
    return (await store.engine.read(query.compile()))[0]?.status
  }
  await send(statusUpdate(id))
  await until(async () => (await status()) === 'LIVE' && (await rows()).every(row => row.noticed_at !== null))
  const before = upstream().length
  await send(statusUpdate(id))
  t.equal(upstream().length, before, 'it is known already')
  simulator.end(id)
  // Its end was seen by a look, and the webhook of it is lost.
  await store.engine.write([store.sql.updateTable('livestreams').set({ status: 'IDLE' }).compile()])
  simulator.startFromBrowser(meeting)
  await send(statusUpdate(id))
  await until(async () => (await status()) === 'LIVE')
  t.equal((await rows()).length, 1, 'by the words alone it is a repetition')
})

t.test('a signature that proves nothing is a 401, on record and counted against its address', async t => {
  const { send, rows, meeting, simulator, events, url } = await world(t)
  const body = meetingNews('meeting.ended', meeting)
  const good = simulator.webhooks.key.sign(JSON.stringify(body))
  const wrong: [string, object | string, Record<string, string>][] = [
    ['none', body, { 'rtk-signature': '' }],
    ['no base64', body, { 'rtk-signature': `${'a'.repeat(343)}!` }],
    ['one of nobody', body, { 'rtk-signature': randomBytes(256).toString('base64') }],
    ['one of another body', `${JSON.stringify(body)} `, { 'rtk-signature': good }],
    ['one of an empty body', '', { 'rtk-signature': good }],
    ['one of its other half', body, { 'rtk-signature': good.slice(0, 172) }]
  ]
  for (const [what, sent, headers] of wrong) {
    const reply = await send(sent, { 'x-request-id': 'forged', ...headers })
    t.ok(isEnvelope(reply, 401, 'webhook_refused'), what)
    t.match(reply.headers.ratelimit, /^"address";r=\d+/, what)
  }
  t.equal((await rows()).length, 0)
  const forged = (await events()).filter(({ metadata }) => metadata.correlation_uid === 'forged')
  t.equal(forged.length, wrong.length)
  t.match(forged[0], {
    api: { operation: 'receiveWebhook' },
    status_code: '401',
    src_endpoint: { ip: '127.0.0.1' },
    unmapped: { outcome: 'refused', tenant_id: null }
  })
  t.equal((await webhookSender(url, simulator, 'nobody').send(body)).statusCode, 404, 'an upstream that is not there')
  t.equal((await send(body)).statusCode, 200)
})

t.test('either family of header fields proves it, whichever vendor it is', async t => {
  const { send, simulator, meeting, rows } = await world(t)
  const body = meetingNews('meeting.started', meeting)
  const signature = simulator.webhooks.key.sign(JSON.stringify(body))
  const dyte = { 'dyte-signature': signature, 'dyte-uuid': 'by-dyte', 'rtk-signature': '', 'rtk-uuid': '' }
  t.equal((await send(body, dyte)).statusCode, 200)
  t.match(await rows(), [{ delivery_id: 'by-dyte' }])
})

t.test('the bytes are what is signed, whatever type they are said to be of', async t => {
  const { send, meeting, rows } = await world(t)
  const spaced = `{ "event" : "meeting.started",\n "meeting" : {"id":"${meeting}"} }\n`
  t.equal((await send(spaced)).statusCode, 200)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream', ''])
    t.equal((await send(meetingNews('meeting.ended', meeting), { 'content-type': type })).statusCode, 200, type)
  t.equal((await rows()).length, 5)
})

t.test('events that are unknown, or cannot be read, are taken and counted, and leave nothing else', async t => {
  const running = await world(t)
  const { send, rows, upstream, logs } = running
  const odd = [
    { event: 'meeting.chatSynced', meetingId: 'm1' },
    { event: 7 },
    { event: 'a b' },
    '',
    'null',
    '{"event":',
    '[]'
  ]
  for (const body of odd) t.equal((await send(body)).statusCode, 200, JSON.stringify(body))
  t.equal((await rows()).length, 0)
  t.strictSame(
    upstream().filter(call => !call.includes('.well-known')),
    []
  )
  t.match(logs(), /"webhook_event":"meeting\.chatSynced".*counted alone/)
  await running.close()
  const [counts] = await running.store.engine.read(running.store.sql.selectFrom('webhook_counts').selectAll().compile())
  t.match(counts, { upstream: 'default', unknown: odd.length, taken: 0, refused: 0 })
})

t.test('counts outlive the gateway', async t => {
  const running = await world(t)
  const { send, meeting, store } = running
  await send(meetingNews('meeting.started', meeting), { 'rtk-uuid': 'one' })
  await send(meetingNews('meeting.started', meeting), { 'rtk-uuid': 'one' })
  await send({ event: 'meeting.summary' })
  await send(
    { event: 'meeting.summary' },
    { 'rtk-signature': randomBytes(256).toString('base64'), 'rtk-webhook-id': 'w1' }
  )
  await running.close()
  const [counts] = await store.engine.read(store.sql.selectFrom('webhook_counts').selectAll().compile())
  t.match(counts, { taken: 1, repeated: 1, unknown: 1, refused: 1, refused_webhook_id: 'w1', taken_at: Number })
})

t.test('a body of more than 64 KiB is refused', async t => {
  const { send, events } = await world(t)
  const large = { event: 'meeting.ended', padding: 'x'.repeat(64 * 1024) }
  const reply = await send(large, { 'x-request-id': 'large' })
  t.ok(isEnvelope(reply, 413, 'payload_too_large'))
  t.match(reply.headers.ratelimit, /^"address"/)
  t.equal((await events()).filter(({ metadata }) => metadata.correlation_uid === 'large').length, 1)
})

t.test('a store that cannot be written is a 503, so that the vendor sends it again', async t => {
  const { send, meeting, storeFile, rows } = await world(t, { threads: true })
  const body = meetingNews('meeting.ended', meeting)
  const unlock = lockStore(storeFile)
  const refused = await send(body, { 'rtk-uuid': 'again' })
  unlock()
  t.ok(isEnvelope(refused, 503, 'store_unavailable'))
  t.equal((await send(body, { 'rtk-uuid': 'again' })).statusCode, 200)
  t.equal((await rows()).length, 1)
})

t.test('without the key of the vendor it is a 503, and a warning of /readyz', async t => {
  const { send, meeting, simulator, as } = await world(t)
  const end = simulator.fail({ match: { path: '/.well-known/webhooks.json' }, status: 500 })
  t.ok(isEnvelope(await send(meetingNews('meeting.ended', meeting)), 503, 'webhook_key_unavailable'))
  t.strictSame((await as(null)('GET', '/readyz')).json().warnings, ['webhook_key'])
  end()
})

t.test('a key that the vendor has replaced is found, a minute after the last one was fetched', async t => {
  const clock = manualClock()
  const { send, meeting, simulator } = await world(t, { clock })
  t.equal((await send(meetingNews('meeting.ended', meeting))).statusCode, 200)
  simulator.webhooks.key.rotate()
  t.equal((await send(meetingNews('meeting.ended', meeting))).statusCode, 401)
  clock.advance(60_000)
  t.equal((await send(meetingNews('meeting.ended', meeting))).statusCode, 200)
  const fetched = simulator.journal.filter(({ target }) => target === '/.well-known/webhooks.json')
  t.equal(fetched.length, 2)
})

t.test('a gateway that ends takes none: the vendor sends it again', async t => {
  const { send, meeting, simulator, asAcme, close } = await world(t)
  simulator.failNext({ match: { method: 'POST' }, delayMs: 300 })
  const starting = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await until(() => simulator.journal.some(({ method }) => method === 'POST'))
  const closing = close()
  const reply = await send(meetingNews('meeting.ended', meeting))
  t.ok(isEnvelope(reply, 503, 'shutting_down'))
  await Promise.all([starting, closing])
})

t.test('other methods have no such address', async t => {
  const { as } = await world(t)
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE'])
    t.equal((await as(null)(method, '/webhooks/default')).statusCode, 404, method)
  t.equal((await as(null)('POST', '/webhooks/default/more')).statusCode, 404)
  t.equal((await as(null)('POST', '/webhooks/')).statusCode, 404)
})

t.test('the stream key in a body of RealtimeKit goes nowhere', async t => {
  const { send, meeting, asAcme, simulator, logs, store, close } = await world(t, {
    simulator: { vendor: 'realtimekit' },
    config: { logLevel: 'trace' }
  })
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  const streamKey = randomBytes(24).toString('hex')
  const body = {
    ...statusUpdate(id),
    streamKey,
    ingestServer: `rtmps://${streamKey}.example`,
    meeting: { id: meeting }
  }
  t.equal((await send(body)).statusCode, 200)
  t.equal((await send({ ...body, event: 'other' })).statusCode, 200)
  t.equal((await send({ ...body, more: 1 }, { 'rtk-signature': simulator.webhooks.key.sign('x') })).statusCode, 401)
  t.equal((await send(`${JSON.stringify(body)}{`)).statusCode, 200)
  await close()
  t.notMatch(logs(), streamKey)
  for (const table of ['webhook_deliveries', 'webhook_counts', 'livestreams', 'audit_events'] as const) {
    const rows = await store.engine.read(store.sql.selectFrom(table).selectAll().compile())
    t.notMatch(JSON.stringify(rows), streamKey, table)
  }
})
