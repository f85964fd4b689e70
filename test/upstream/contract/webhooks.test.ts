import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { UpstreamMalformed } from '../../../src/domain/refusals/failures.ts'
import {
  readEnvelope,
  readKey,
  readRegistered,
  readRegisteredList,
  readWebhook
} from '../../../src/upstream/contract/webhooks.ts'

const signature = randomBytes(256)
const field = signature.toString('base64')
const [delivery, webhook] = [randomUUID(), randomUUID()]

t.test('both families of header fields are read, the newer one first', async t => {
  const dyte = { 'dyte-signature': field, 'dyte-uuid': delivery, 'dyte-webhook-id': webhook }
  t.strictSame(readEnvelope(dyte), { signature, deliveryId: delivery, webhookId: webhook })
  const newer = randomBytes(512)
  const rtk = { 'rtk-signature': newer.toString('base64'), 'rtk-uuid': 'a', 'rtk-webhook-id': 'b' }
  t.strictSame(readEnvelope({ ...dyte, ...rtk }), { signature: newer, deliveryId: 'a', webhookId: 'b' })
  t.strictSame(readEnvelope({ ...dyte, 'rtk-signature': 'none' })?.signature, signature, 'unless it can be none')
})

t.test('a delivery may lack its ids, or have odd ones: then they are not there', async t => {
  for (const id of [undefined, '', 'a b', 'x'.repeat(65), '../..', [delivery, delivery]])
    t.strictSame(readEnvelope({ 'rtk-signature': field, 'rtk-uuid': id as string, 'rtk-webhook-id': id as string }), {
      signature,
      deliveryId: null,
      webhookId: null
    })
})

t.test('no envelope is made of fields that can be no signature', async t => {
  const bytes = (length: number): string => randomBytes(length).toString('base64')
  const odd = [
    undefined,
    '',
    'abc',
    bytes(255),
    bytes(513),
    `${field} `,
    field.replace(/./, '-'),
    [field, field],
    `${field},a`
  ]
  for (const one of odd) t.equal(readEnvelope({ 'rtk-signature': one as string }), null, String(one).slice(0, 20))
})

const bytesOf = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))

t.test('the ids of an event are read, and nothing else', async t => {
  const meeting = { id: 'm1', sessionId: 's1', title: 'x' }
  const full = {
    event: 'livestreaming.statusUpdate',
    streamId: 'l1',
    status: 'LIVE',
    streamKey: 'k',
    meeting: { id: 'm1' }
  }
  t.strictSame(readWebhook(bytesOf(full)), {
    event: 'livestreaming.statusUpdate',
    news: { event: 'livestreaming.statusUpdate', livestreamId: 'l1', meetingId: 'm1', sessionId: null, status: 'LIVE' }
  })
  const bare = { event: 'livestreaming.statusUpdate', streamId: 'l1', status: 'LIVE' }
  t.match(readWebhook(bytesOf(bare)).news, { livestreamId: 'l1', meetingId: null })
  for (const event of ['meeting.started', 'meeting.ended'])
    t.match(readWebhook(bytesOf({ event, meeting })).news, {
      event,
      livestreamId: null,
      meetingId: 'm1',
      sessionId: 's1'
    })
})

t.test('an event that is unknown, or cannot be read, has no news', async t => {
  const odd: [unknown, string | null][] = [
    [{ event: 'meeting.summary', meeting: { id: 'm1' } }, 'meeting.summary'],
    [{ event: 'livestreaming.statusUpdate', meeting: { id: 'm1' } }, 'livestreaming.statusUpdate'],
    [{ event: 'livestreaming.statusUpdate', streamId: '../x' }, 'livestreaming.statusUpdate'],
    [{ event: 'meeting.ended', meeting: 'm1' }, 'meeting.ended'],
    [{ event: 'meeting.ended', meeting: null }, 'meeting.ended'],
    [{ event: 7 }, null],
    [[], null],
    ['null', null],
    ['', null],
    ['{"event":', null]
  ]
  for (const [body, event] of odd) t.strictSame(readWebhook(bytesOf(body)), { event, news: null }, JSON.stringify(body))
})

t.test('the key is read from the document that is published', async t => {
  t.equal(readKey({ success: true, data: { publicKey: 'pem' }, message: '' }), 'pem')
  t.equal(readKey({ publicKey: 'pem' }), 'pem')
  for (const odd of [undefined, null, {}, { data: {} }, { data: { publicKey: 7 } }, []]) t.equal(readKey(odd), null)
})

t.test('a registered webhook is read as far as Livegate uses it', async t => {
  const data = {
    id: 'w1',
    name: 'n',
    url: 'https://a.example/',
    events: ['meeting.ended'],
    enabled: false,
    created_at: 'x'
  }
  const { created_at: _at, ...read } = data
  t.strictSame(readRegistered({ success: true, data }), read)
  t.strictSame(readRegisteredList({ success: true, data: [{ id: 'w2', url: 'u' }] }), [
    { id: 'w2', name: '', url: 'u', events: [], enabled: true }
  ])
  t.throws(() => readRegisteredList({ success: true, data: ['meeting.ended'] }), UpstreamMalformed)
  t.throws(() => readRegistered({ success: true, data: { id: 'w1' } }), UpstreamMalformed)
})
