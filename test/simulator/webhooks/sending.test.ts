import { createPublicKey, verify } from 'node:crypto'
import t, { type Test } from 'tap'
import type { SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { send, simulate, until } from '../../support/simulator/helper.ts'
import { webhookReceiver } from '../../support/simulator/webhook-receiver.ts'

const events = ['livestreaming.statusUpdate', 'meeting.started', 'meeting.ended']

/** A simulator with a webhook that somebody takes. */
async function hooked(t: Test, options: SimulatorOptions = {}) {
  const receiver = await webhookReceiver(t)
  const running = await simulate(t, options)
  const { webhooks } = running.simulator
  webhooks.behave({ retryMs: 1 })
  const { id: webhookId } = webhooks.register({ name: 'test', url: receiver.url, events })
  return { ...running, receiver, webhooks, webhookId }
}

t.test('a whole broadcast is told of, signed with the key that is published', async t => {
  const { simulator, webhooks, webhookId, receiver, started, call, clock } = await hooked(t)
  const { meeting, livestream } = await started()
  await webhooks.idle()
  clock.pass(2_000)
  await webhooks.idle()
  await call('POST', `/meetings/${meeting}/active-livestream/stop`)
  await webhooks.idle()
  t.strictSame(receiver.events().sort(), [
    'livestreaming.statusUpdate IDLE',
    'livestreaming.statusUpdate LIVE',
    'meeting.ended',
    'meeting.started'
  ])
  const { json, status } = await send(simulator, 'GET', '/.well-known/webhooks.json')
  t.equal(status, 200, 'nobody needs credentials for it')
  const key = createPublicKey(json.data.publicKey)
  for (const { headers, body } of receiver.received) {
    t.ok(verify('RSA-SHA256', body, key, Buffer.from(String(headers['dyte-signature']), 'base64')))
    t.match(headers, { 'dyte-webhook-id': webhookId, 'dyte-uuid': /^[0-9a-f-]{36}$/ })
    t.notMatch(headers, { 'rtk-signature': String })
  }
  const told = receiver.received.find(({ json }) => json.status === 'LIVE')?.json
  t.strictSame(
    told,
    { event: 'livestreaming.statusUpdate', streamId: livestream, status: 'LIVE' },
    'in the form of Dyte'
  )
})

t.test('RealtimeKit tells more, its stream key too, under its own header fields', async t => {
  const { simulator, webhooks, receiver, started } = await hooked(t, { vendor: 'realtimekit', liveAfterMs: 0 })
  const { meeting, livestream } = await started()
  await webhooks.idle()
  const { headers, json } = receiver.received.find(({ json }) => json.status === 'LIVE') ?? {}
  t.match(headers, { 'rtk-signature': String, 'rtk-uuid': String, 'rtk-webhook-id': String })
  const streamKey = simulator.livestreams()[0]?.stream_key
  t.match(json, { streamId: livestream, streamKey, playbackUrl: String, manualIngest: false, meeting: { id: meeting } })
  const session = receiver.received.find(({ json }) => json.event === 'meeting.started')?.json.meeting
  t.match(session, { id: meeting, sessionId: String, startedAt: String })
})

t.test('an error is told as OFFLINE, and so is an end in the old contract', async t => {
  const broken = await hooked(t, { liveAfterMs: 0 })
  const { livestream } = await broken.started()
  broken.simulator.end(livestream, 'ERRORED')
  await broken.webhooks.idle()
  t.ok(broken.receiver.events().includes('livestreaming.statusUpdate OFFLINE'))
  const old = await hooked(t, { liveAfterMs: 0, contract: 'L1' })
  old.simulator.end((await old.started()).livestream)
  await old.webhooks.idle()
  t.ok(old.receiver.events().includes('livestreaming.statusUpdate OFFLINE'))
})

t.test('an independent livestream has no meeting to tell of', async t => {
  const { simulator, webhooks, receiver } = await hooked(t, { vendor: 'realtimekit', liveAfterMs: 0 })
  simulator.ingest(simulator.addLivestream().id)
  await webhooks.idle()
  t.equal(receiver.received.length, 1)
  t.notMatch(receiver.received[0]?.json, { meeting: Object })
})

t.test('only what was asked for is sent, and nothing to a webhook that is off', async t => {
  const { simulator, webhooks, webhookId, receiver, started } = await hooked(t, { liveAfterMs: 0 })
  webhooks.registered.change(webhookId, { events: ['meeting.started'] }, false)
  await started()
  await webhooks.idle()
  t.strictSame(receiver.events(), ['meeting.started'])
  webhooks.registered.change(webhookId, { enabled: false }, false)
  simulator.joinMeeting(simulator.addMeeting().id)
  await webhooks.idle()
  t.equal(receiver.received.length, 1)
})

t.test('a new webhook hears nothing of what was before', async t => {
  const { simulator, started } = await simulate(t, { liveAfterMs: 0 })
  await started()
  const receiver = await webhookReceiver(t)
  simulator.webhooks.register({ name: 'late', url: receiver.url, events })
  await simulator.webhooks.idle()
  t.equal(receiver.received.length, 0)
})

t.test('webhooks come twice, with either kind of delivery id, or never', async t => {
  for (const repeatId of ['same', 'new'] as const) {
    const { webhooks, receiver, started } = await hooked(t, { webhookTimes: 2, webhookRepeatId: repeatId })
    await started()
    await webhooks.idle()
    const ids = receiver.received.map(({ headers }) => headers['dyte-uuid'])
    t.equal(ids.length, 2)
    t.equal(new Set(ids).size, repeatId === 'same' ? 1 : 2)
  }
  const { webhooks, receiver, started } = await hooked(t, { webhookTimes: 0 })
  await started()
  await webhooks.idle()
  t.equal(receiver.received.length, 0)
})

t.test('webhooks come late, and later ones may overtake earlier ones', async t => {
  const { webhooks, receiver, started } = await hooked(t, { webhookDelayMs: 50 })
  await started()
  webhooks.look()
  t.equal(webhooks.sent.length, 0)
  await webhooks.idle()
  t.equal(receiver.received.length, 1)
  webhooks.behave({ order: 'random', delayMs: 0 })
  for (let i = 0; i < 20; i++) webhooks.tell({ event: 'test', status: String(i) })
  await webhooks.idle()
  const order = receiver.events().slice(1)
  t.equal(order.length, 20)
  t.notSame(
    order,
    Array.from({ length: 20 }, (_, i) => `test ${i}`)
  )
})

t.test('a held webhook comes in the order in which it is released, as often as it is named', async t => {
  const { webhooks, receiver } = await hooked(t)
  webhooks.behave({ hold: true })
  for (const status of ['a', 'b', 'c']) webhooks.tell({ event: 'test', status })
  const [a = '', b = '', c = ''] = webhooks.waiting().map(({ id }) => id)
  await webhooks.release([c, a, a])
  t.strictSame(receiver.events(), ['test c', 'test a', 'test a'])
  t.throws(() => webhooks.release([c]), RangeError)
  await webhooks.release()
  t.strictSame(receiver.events().slice(3), ['test b'])
  t.strictSame(webhooks.waiting(), [], b)
})

t.test('a delivery is sent again after a 5xx or without an answer, three times, and after nothing else', async t => {
  const { webhooks, receiver } = await hooked(t)
  receiver.answerNext(503, 0, 500, 200)
  webhooks.tell({ event: 'test' })
  await webhooks.idle()
  t.strictSame(
    webhooks.sent.map(({ status }) => status),
    [503, null, 500, 200]
  )
  receiver.answerNext(500, 500, 500, 500, 500)
  webhooks.tell({ event: 'test' })
  await webhooks.idle()
  t.equal(webhooks.sent.length, 8, 'then it is given up')
  for (const status of [401, 302]) {
    receiver.answerNext(status)
    webhooks.tell({ event: 'test' })
    await webhooks.idle()
  }
  t.equal(webhooks.sent.length, 10)
  webhooks.behave({ repeatId: 'new' })
  receiver.answerNext(500)
  webhooks.tell({ event: 'test' })
  await webhooks.idle()
  const [first, second] = webhooks.sent.slice(-2)
  t.not(first?.deliveryId, second?.deliveryId)
})

t.test('both families of header fields are sent where it is told to', async t => {
  const { webhooks, receiver } = await hooked(t, { webhookHeaders: 'both' })
  webhooks.tell({ event: 'test' })
  await webhooks.idle()
  const { headers } = receiver.received[0] ?? {}
  t.equal(headers?.['rtk-signature'], headers?.['dyte-signature'])
  t.equal(headers?.['rtk-uuid'], headers?.['dyte-uuid'])
})

t.test('another key signs after it was changed', async t => {
  const { simulator, webhooks } = await hooked(t)
  const published = async () => (await send(simulator, 'GET', '/.well-known/webhooks.json')).json.data.publicKey
  const before = await published()
  webhooks.key.rotate()
  t.not(await published(), before)
  const key = createPublicKey(await published())
  t.ok(verify('RSA-SHA256', Buffer.from('a'), key, Buffer.from(webhooks.key.sign('a'), 'base64')))
})

t.test('all of it can be steered from another process, and no stream key is shown there', async t => {
  const { simulator, receiver, started } = await hooked(t, { vendor: 'realtimekit', liveAfterMs: 0 })
  const control = (method: string, path: string, body?: object) =>
    send(simulator, method, `/_simulator/webhooks${path}`, body)
  t.equal((await control('PUT', '', { hold: true, times: 2 })).status, 200)
  t.match((await control('PUT', '', { hold: 1 })).json, {
    error: { message: 'webhooks: "hold" must be true or false' }
  })
  await started()
  await simulator.webhooks.idle()
  const { json, text } = await control('GET', '')
  t.equal(json.data.registered.length, 1)
  t.notMatch(text, simulator.livestreams()[0]?.stream_key)
  const ids = json.data.waiting.map(({ id }: { id: string }) => id)
  t.equal(ids.length, 2)
  t.equal((await control('POST', '/release', { ids: ids.toReversed() })).status, 200)
  await until(() => receiver.received.length === 2)
  t.equal((await control('POST', '/release', { ids })).status, 400, 'they do not wait any more')
  t.equal((await control('PUT', '', { hold: false, times: 1 })).status, 200)
  t.equal((await control('POST', '/send', { event: 'made.up', more: 1 })).status, 201)
  t.equal((await control('POST', '/send', { more: 1 })).status, 400)
  await until(() => receiver.received.length === 3)
  t.strictSame(receiver.received[2]?.json, { event: 'made.up', more: 1 })
  t.match((await control('POST', '/rotate-key')).json.data.publicKey, 'BEGIN PUBLIC KEY')
  t.match((await control('GET', '')).json.data.sent[0], { status: 200, deliveryId: String })
})

t.test('a fault can be asked for the published key', async t => {
  const { simulator } = await hooked(t)
  simulator.failNext({ match: { path: '/.well-known/webhooks.json' }, status: 500, body: 'no' })
  const statuses = []
  for (let i = 0; i < 2; i++) statuses.push((await send(simulator, 'GET', '/.well-known/webhooks.json')).status)
  t.strictSame(statuses, [500, 200])
})
