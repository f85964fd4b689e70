import t from 'tap'
import type { RunEventType } from '../../../src/domain/runs/run.ts'
import { leaveWork } from '../../../src/store/schema/database.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway, withoutRequestId } from '../../support/gateway.ts'
import { freshKey } from '../../support/http/mutating.ts'
import { until } from '../../support/until.ts'
import { hangs, receiver, says, told, verified } from '../../support/webhooks/receiver.ts'
import { happened, loopback } from '../../support/webhooks/world.ts'

const config = { webhookNetworks: loopback }
const example = { url: 'https://hooks.example.com/livegate?token=abc' }

t.test('a tenant sets, reads, changes and removes its webhook; its secret is shown when it is new alone', async t => {
  const { asAcme, asGlobex } = await gateway(t)
  const missing = await asAcme('GET', '/gateway/webhook')
  t.match([missing.statusCode, missing.json().error.type], [404, 'webhook_not_found'])

  const made = await asAcme('PUT', '/gateway/webhook', example)
  t.equal(made.statusCode, 201)
  const { secret, ...shown } = made.json().data
  t.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  t.match(shown, {
    ...example,
    previous_secret_until: null,
    waiting: 0,
    given_up: 0,
    failing_since: null,
    disabled_at: null,
    last_attempt: null
  })
  const read = await asAcme('GET', '/gateway/webhook')
  t.strictSame([read.statusCode, read.json()], [200, { success: true, data: shown }])

  const moved = await asAcme('PUT', '/gateway/webhook', { url: 'https://other.example.com' })
  t.match([moved.statusCode, moved.json().data.url], [200, 'https://other.example.com/'])
  t.notOk('secret' in moved.json().data)
  const rotated = (await asAcme('PUT', '/gateway/webhook', { ...example, rotate_secret: true })).json().data
  t.match(rotated.secret, /^whsec_/)
  t.not(rotated.secret, secret)
  t.ok(Date.parse(rotated.previous_secret_until) > Date.now())

  t.equal((await asGlobex('GET', '/gateway/webhook')).statusCode, 404, "it is nobody else's")
  t.equal((await asGlobex('DELETE', '/gateway/webhook')).statusCode, 404)
  const removed = await asAcme('DELETE', '/gateway/webhook')
  t.match([removed.statusCode, removed.json().data.url], [200, example.url])
  for (const [method, path] of [
    ['GET', '/gateway/webhook'],
    ['DELETE', '/gateway/webhook'],
    ['POST', '/gateway/webhook/test']
  ] as const)
    t.strictSame(withoutRequestId(await asAcme(method, path)), withoutRequestId(missing))
})

t.test('an address that cannot be a webhook is a 400 that names the field', async t => {
  const { asAcme, events } = await gateway(t)
  const refused: [body: unknown, field: string, message: RegExp][] = [
    [{}, 'body.url', /./],
    [{ url: 7 }, 'body.url', /./],
    [{ url: 'http://example.com' }, 'body.url', /^must begin with https:/],
    [{ url: 'https://10.0.0.1/' }, 'body.url', /^must lead to a public address$/],
    [{ url: 'https://[::ffff:127.0.0.1]/' }, 'body.url', /^must lead to a public address$/],
    [{ url: `https://example.com/${'x'.repeat(2_048)}` }, 'body.url', /./],
    [{ ...example, rotate_secret: 'yes' }, 'body.rotate_secret', /./],
    [{ ...example, secret: 'mine' }, 'body.secret', /not a known field/]
  ]
  for (const [body, field, message] of refused) {
    const { statusCode, json } = await asAcme('PUT', '/gateway/webhook', body as object)
    t.equal(statusCode, 400)
    t.match(json().error, { type: 'invalid_input', details: [{ field, message }] })
  }
  t.equal((await asAcme('GET', '/gateway/webhook')).statusCode, 404)
  t.ok((await events()).every(({ unmapped }) => unmapped.outcome === 'refused'))
})

t.test('each change is on record with the host alone, and so is each test before it is sent', async t => {
  const { asAcme, events, withKey } = await gateway(t)
  const id = (name: string) => ({ 'x-request-id': name })
  await asAcme('PUT', '/gateway/webhook', example, id('set'))
  await asAcme('POST', '/gateway/webhook/test', undefined, id('test'))
  await asAcme('DELETE', '/gateway/webhook', undefined, id('remove'))
  const viewer = await withKey('acme', ['livestreams:read'])
  await viewer.call('PUT', '/gateway/webhook', example, id('refused'))
  const written = (await events()).map(event => [
    event.metadata.correlation_uid,
    event.api.operation,
    event.activity_name,
    event.unmapped.outcome,
    event.status_code,
    event.resources.map(({ type, uid }) => `${type} ${uid}`).join()
  ])
  const host = 'webhook hooks.example.com'
  t.strictSame(written, [
    ['set', 'setWebhook', 'Update', 'done', '201', host],
    ['test', 'testWebhook', 'Other', 'pending', undefined, host],
    ['test', 'testWebhook', 'Other', 'done', '200', host],
    ['remove', 'removeWebhook', 'Delete', 'done', '200', host],
    ['refused', 'setWebhook', 'Update', 'refused', '403', '']
  ])
  t.notMatch(JSON.stringify(await events()), /token=abc|whsec_/)
})

t.test('the same idempotency key has the first answer again, without the secret, and changes nothing', async t => {
  const { asAcme } = await gateway(t)
  const key = freshKey()
  const wish = { ...example, rotate_secret: true }
  const first = await asAcme('PUT', '/gateway/webhook', wish, key)
  const again = await asAcme('PUT', '/gateway/webhook', wish, key)
  const { secret, ...data } = first.json().data
  t.ok(secret)
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.strictSame([again.statusCode, again.json().data], [201, data])
  t.equal((await asAcme('PUT', '/gateway/webhook', example, key)).statusCode, 422)
  t.equal((await asAcme('GET', '/gateway/webhook')).json().data.previous_secret_until, null)
  const removal = freshKey()
  for (const replayed of [undefined, 'true']) {
    const { statusCode, headers } = await asAcme('DELETE', '/gateway/webhook', undefined, removal)
    t.strictSame([statusCode, headers['idempotency-replayed']], [200, replayed])
  }
})

t.test('changes at the same time follow one another', async t => {
  const { asAcme } = await gateway(t)
  const both = () => [1, 2].map(() => asAcme('PUT', '/gateway/webhook', { ...example, rotate_secret: true }))
  const statuses = (await Promise.all(both())).map(({ statusCode }) => statusCode)
  t.strictSame(statuses.sort(), [200, 201])
  const removals = [1, 2].map(() => asAcme('DELETE', '/gateway/webhook'))
  t.strictSame((await Promise.all(removals)).map(({ statusCode }) => statusCode).sort(), [200, 404])
})

t.test('writes of a webhook count against the limit of writes', async t => {
  const { asAcme } = await gateway(t, { config: { writeLimit: { calls: 2, seconds: 60, burst: 2 } } })
  await asAcme('PUT', '/gateway/webhook', example)
  t.equal((await asAcme('POST', '/gateway/webhook/test')).statusCode, 200)
  t.equal((await asAcme('POST', '/gateway/webhook/test')).statusCode, 429)
  t.equal((await asAcme('GET', '/gateway/webhook')).statusCode, 200)
})

t.test('a test says what came of it, and shows nothing of the answer but its status', async t => {
  const { asAcme } = await gateway(t, { config: { ...config, deadlineMs: 300 } })
  const one = await receiver(t)
  const { secret } = (await asAcme('PUT', '/gateway/webhook', { url: one.url })).json().data
  const test = async () => (await asAcme('POST', '/gateway/webhook/test')).json().data
  t.match(await test(), { status: 204, error: null, duration_ms: Number })
  t.match(one.received[0] && verified(secret, one.received[0]), { type: 'webhook.test', data: { tenant: 'acme' } })
  one.behaviour = reply => void reply.writeHead(500, { 'x-inside': 'secret' }).end('inside')
  const reply = await asAcme('POST', '/gateway/webhook/test')
  t.match(reply.json().data, { status: 500, error: 'status' })
  t.notMatch(reply.body, 'inside')
  one.behaviour = says(302, { location: 'http://169.254.169.254/' })
  t.match(await test(), { status: 302, error: 'redirect' })
  one.behaviour = hangs
  t.match(await test(), { status: null, error: 'timeout' }, 'not longer than a call may take')
  await asAcme('PUT', '/gateway/webhook', { url: 'https://private.example/' })
  t.match(await test(), { status: null, error: 'no_address', duration_ms: Number })
  t.equal((await asAcme('GET', '/gateway/webhook')).json().data.last_attempt, null, 'it is no delivery')
})

t.test(
  'without a record nothing is done or sent; a test whose end is not on record says that it may have been',
  async t => {
    const { asAcme, storeFile } = await gateway(t, { config })
    const one = await receiver(t)
    await asAcme('PUT', '/gateway/webhook', { url: one.url })
    let unlock = lockStore(storeFile)
    for (const [method, path, body] of [
      ['PUT', '/gateway/webhook', example],
      ['DELETE', '/gateway/webhook', undefined],
      ['POST', '/gateway/webhook/test', undefined]
    ] as const) {
      const { statusCode, json } = await asAcme(method, path, body)
      t.match([statusCode, json().error], [503, { type: 'audit_unavailable', outcome: 'not_sent' }], path)
    }
    unlock()
    t.equal(one.received.length, 0)
    t.equal((await asAcme('GET', '/gateway/webhook')).json().data.url, one.url)
    one.behaviour = (reply, number, request) => {
      unlock = lockStore(storeFile)
      says(204)(reply, number, request)
    }
    const late = await asAcme('POST', '/gateway/webhook/test')
    unlock()
    t.match([late.statusCode, late.json().error], [503, { type: 'audit_unavailable', outcome: 'unknown' }])
  }
)

t.test(
  'a whole gateway delivers what happens, after a restart too, and a tenant that is suspended is told as well',
  async t => {
    const { asAcme, store, directory } = await gateway(t, { config })
    const one = await receiver(t)
    const { secret } = (await asAcme('PUT', '/gateway/webhook', { url: one.url })).json().data
    /** By another process, which says so as commands do. */
    const tell = async (type: RunEventType): Promise<void> => {
      await happened(store, 'm1', type)
      await store.engine.write([leaveWork(store.sql)])
      await directory.pull()
    }
    await tell('livestream.live')
    await until(() => one.received.length === 1)
    await tenantsIn(store).update('acme', { suspended: true }, 1)
    await tell('livestream.ended')
    await until(() => one.received.length === 2)
    t.strictSame(told(secret, one.received), ['m1 live', 'm1 ended'])
  }
)
