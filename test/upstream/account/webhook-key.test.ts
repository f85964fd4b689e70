import { createPublicKey, createSign, generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:https'
import t, { type Test } from 'tap'
import { WebhookKeyUnavailable } from '../../../src/domain/refusals/failures.ts'
import type { WebhookKeySource } from '../../../src/domain/upstream-account.ts'
import { WebhookKey } from '../../../src/upstream/account/webhook-key.ts'
import { readKey } from '../../../src/upstream/contract/webhooks.ts'
import { manualClock } from '../../support/clock.ts'
import { listen } from '../../support/listen.ts'
import { until } from '../../support/until.ts'
import { makeCertificate } from '../../support/upstream/certificates.ts'
import { proxy } from '../../support/upstream/proxy.ts'
import { failureOf, nobody, vendor } from '../../support/upstream/vendor.ts'

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2_048 })
const [first, second] = [pair(), pair()]
type Pair = typeof first
const pemOf = ({ publicKey }: Pair): string => publicKey.export({ type: 'spki', format: 'pem' }).toString()
const body = Buffer.from('{"event":"meeting.ended"}')
const signed = ({ privateKey }: Pair, bytes = body): Buffer => createSign('RSA-SHA256').update(bytes).sign(privateKey)

/** A server that shows a key, and can be told to show another one, or none. */
async function publisher(t: Test) {
  let shown: Pair | number = first
  const { url, requests } = await vendor(t, (_request, response) => {
    if (typeof shown === 'number') response.writeHead(shown, { location: '/elsewhere' }).end('{}')
    else response.end(JSON.stringify({ success: true, data: { publicKey: pemOf(shown) } }))
  })
  return {
    source: { url: new URL('/.well-known/webhooks.json', url) },
    requests,
    show(next: Pair | number) {
      shown = next
    }
  }
}

function keyFrom(source: WebhookKeySource, ca?: string) {
  const clock = manualClock()
  return { clock, key: new WebhookKey({ source, readKey, deadlineMs: 10_000, clock, ca }) }
}

t.test('the key is fetched when it is first needed, once for all who wait, and kept', async t => {
  const { source, requests } = await publisher(t)
  const { key, clock } = keyFrom(source)
  t.equal(requests.length, 0)
  const checks = Array.from({ length: 20 }, () => key.isSigned(body, signed(first)))
  t.ok((await Promise.all(checks)).every(Boolean))
  clock.advance(3_600_000)
  t.ok(await key.isSigned(body, signed(first)))
  t.strictSame(
    requests.map(({ method, url }) => `${method} ${url}`),
    ['GET /.well-known/webhooks.json']
  )
  t.equal(requests[0]?.headers.authorization, undefined, 'no credential goes there')
})

t.test('another body, another signature and another signer prove nothing', async t => {
  const { source } = await publisher(t)
  const { key } = keyFrom(source)
  t.notOk(await key.isSigned(Buffer.from('{"event":"meeting.ended" }'), signed(first)))
  t.notOk(await key.isSigned(body, signed(second)))
  t.notOk(await key.isSigned(body, Buffer.alloc(256)))
  t.notOk(await key.isSigned(body, Buffer.alloc(512, 255)))
  t.ok(await key.isSigned(Buffer.alloc(0), signed(first, Buffer.alloc(0))))
})

t.test('after a check that failed another key is asked for, once a minute at most', async t => {
  const { source, requests, show } = await publisher(t)
  const { key, clock } = keyFrom(source)
  t.ok(await key.isSigned(body, signed(first)))
  show(second)
  t.notOk(await key.isSigned(body, signed(second)), 'it was fetched a moment ago')
  clock.advance(60_000)
  const checks = Array.from({ length: 20 }, () => key.isSigned(body, signed(second)))
  t.ok((await Promise.all(checks)).every(Boolean))
  t.equal(requests.length, 2)
  for (let i = 0; i < 20; i++) t.notOk(await key.isSigned(body, signed(first)), 'the old one is good no more')
  t.equal(requests.length, 2)
})

t.test('a key that cannot be fetched anew stays in use, and that is told', async t => {
  const { source, show, requests } = await publisher(t)
  const { key, clock } = keyFrom(source)
  t.ok(await key.isSigned(body, signed(first)))
  show(500)
  clock.advance(60_000)
  t.notOk(await key.isSigned(body, signed(second)))
  t.ok(key.isMissing)
  t.ok(await key.isSigned(body, signed(first)))
  show(first)
  clock.advance(60_000)
  t.notOk(await key.isSigned(body, signed(second)))
  t.notOk(key.isMissing)
  t.equal(requests.length, 3)
})

t.test('a key of yesterday is asked for again beside its use', async t => {
  const { source, show, requests } = await publisher(t)
  const { key, clock } = keyFrom(source)
  t.ok(await key.isSigned(body, signed(first)))
  clock.advance(86_400_001)
  show(second)
  t.ok(await key.isSigned(body, signed(first)), 'nobody waits for it')
  await until(() => requests.length === 2)
  await until(async () => key.isSigned(body, signed(second)))
  t.notOk(await key.isSigned(body, signed(first)))
})

t.test('without a key nothing can be said, and it is asked for again after a moment', async t => {
  const { source, show, requests } = await publisher(t)
  const { key, clock } = keyFrom(source)
  for (const [i, status] of [500, 404, 302, 204].entries()) {
    show(status)
    t.match(await failureOf(key.isSigned(body, signed(first))), { type: 'webhook_key_unavailable', status: 503 })
    await t.rejects(key.isSigned(body, signed(first)), WebhookKeyUnavailable)
    t.equal(requests.length, i + 1, 'no redirect is followed, and nobody asks at once again')
    clock.advance(5_000)
  }
  t.ok(key.isMissing)
  show(first)
  t.ok(await key.isSigned(body, signed(first)))
  t.notOk(key.isMissing)
})

t.test('a document without a good key is none', async t => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  for (const text of [
    '',
    'not JSON',
    '{}',
    JSON.stringify({ data: { publicKey: pemOf(weak) } }),
    'x'.repeat(2_000_000)
  ]) {
    const { url } = await vendor(t, (_request, response) => response.end(text))
    const { key } = keyFrom({ url: new URL(url) })
    await t.rejects(key.get(), WebhookKeyUnavailable, text.slice(0, 20))
  }
  const { key } = keyFrom({ url: new URL(await nobody(t)) })
  await t.rejects(key.get(), { cause: { message: /could not be asked/ } })
})

t.test('a key of a file is used as it is, and nobody is asked for another', async t => {
  const { key, clock } = keyFrom({ pem: pemOf(first) })
  t.ok(await key.isSigned(body, signed(first)))
  clock.advance(86_400_001)
  t.notOk(await key.isSigned(body, signed(second)))
  t.same(await key.get(), createPublicKey(pemOf(first)))
  t.notOk(key.isMissing)
})

t.test('the key comes through the proxy, by TLS that is verified', async t => {
  const authority = makeCertificate({ name: 'an authority' })
  const host = 'keys.invalid'
  const server = createServer(makeCertificate({ name: 'keys', issuer: authority, host }), (_request, response) =>
    response.end(JSON.stringify({ data: { publicKey: pemOf(first) } }))
  )
  const way = await proxy(t, { port: await listen(t, server) })
  const source = { url: new URL(`https://${host}/key`), proxy: { origin: way.origin, authorization: null } }
  t.ok(await keyFrom(source, authority.cert).key.isSigned(body, signed(first)))
  t.strictSame(way.asked, [`CONNECT ${host}:443`])
  await t.rejects(keyFrom(source).key.get(), WebhookKeyUnavailable, 'nobody vouches for that certificate')
})
