import { randomBytes } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import t, { type Test } from 'tap'
import { Secret } from '../../../src/domain/values/secret.ts'
import { type ClientOptions, UpstreamClient } from '../../../src/upstream/transport/client.ts'
import { listen } from '../../support/listen.ts'
import { until } from '../../support/until.ts'
import { makeCertificate } from '../../support/upstream/certificates.ts'
import { type ProxyOptions, proxy } from '../../support/upstream/proxy.ts'
import { failureOf, nobody } from '../../support/upstream/vendor.ts'

const authority = makeCertificate({ name: 'the authority that Livegate trusts' })
const host = 'vendor.invalid'
const secure = makeCertificate({ name: 'vendor', issuer: authority, host })
const authorization = new Secret(`Basic ${randomBytes(12).toString('base64')}`)
const soon = (): AbortSignal => AbortSignal.timeout(60_000)
const get = (signal = soon()) => ({ method: 'GET', path: '/thing', signal, authorization }) as const
const post = (signal = soon()) => ({ method: 'POST', path: '/thing', body: { a: 1 }, signal, authorization }) as const
const unsent = { type: 'upstream_unreachable', outcome: 'not_sent' }

/** A vendor behind TLS whose name nobody but the proxy can resolve. */
async function secureVendor(t: Test, answer: RequestListener, certificate = secure) {
  const requests: string[] = []
  const server = createServer(certificate, (request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.authorization}`)
    t.equal(request.headers['proxy-authorization'], undefined, 'what is for the proxy does not reach the vendor')
    t.equal(request.headers.host, host)
    answer(request, response)
  })
  const port = await listen(t, server)
  return { requests, port }
}

async function through(t: Test, options: ProxyOptions, given: Partial<ClientOptions> = {}) {
  const way = await proxy(t, options)
  const client = new UpstreamClient({
    baseUrl: new URL(`https://${host}/v2`),
    proxy: { origin: way.origin, authorization: null },
    ca: authority.cert,
    ...given
  })
  t.teardown(() => client.close())
  return { ...way, client }
}

t.test('a call goes through a tunnel: the proxy hears where to, and nothing else', async t => {
  const { port, requests } = await secureVendor(t, (_request, response) => response.end('{"success":true}'))
  const secret = `Basic ${randomBytes(12).toString('base64')}`
  const { client, asked, shown, passed } = await through(t, { port }, { connections: 1 })
  t.strictSame((await client.call(get())).body, { success: true })
  await client.call(post())
  t.strictSame(requests, [`GET /v2/thing ${authorization.reveal()}`, `POST /v2/thing ${authorization.reveal()}`])
  t.strictSame([asked, shown], [[`CONNECT ${host}:443`], [undefined]], 'one connection served both')
  t.ok(passed().length > 0)
  for (const hidden of [authorization.reveal(), '/thing']) t.notOk(passed().includes(hidden), 'it is TLS all the way')

  const known = await proxy(t, { port })
  const withKey = new UpstreamClient({
    baseUrl: new URL(`https://${host}/v2`),
    proxy: { origin: known.origin, authorization: new Secret(secret) },
    ca: authority.cert
  })
  t.teardown(() => withKey.close())
  await withKey.call(get())
  t.strictSame(known.shown, [secret])
})

t.test('connections of one call and shared ones are as many as without a proxy', async t => {
  const { port, requests } = await secureVendor(t, (_request, response) => {
    setTimeout(() => response.end('{}'), 20)
  })
  const single = await through(t, { port }, { keepAlive: false, connections: 50 })
  await Promise.all(Array.from({ length: 20 }, () => single.client.call(post())))
  t.equal(single.asked.length, 20)
  const shared = await through(t, { port }, { connections: 3 })
  await Promise.all(Array.from({ length: 20 }, () => shared.client.call(get())))
  t.equal(shared.asked.length, 3)
  t.equal(requests.length, 40)
})

const refusals: Record<string, ProxyOptions['instead']> = {
  'refuses with 403': socket => socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno'),
  'wants another password': socket => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
  'cannot reach the vendor': socket => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'),
  'says yes in an odd way': socket => socket.end('HTTP/1.1 204 No Content\r\n\r\n'),
  redirects: socket => socket.end('HTTP/1.1 302 Found\r\nlocation: https://elsewhere.invalid/\r\n\r\n'),
  'hangs up': socket => void socket.destroy(),
  'speaks no HTTP': socket => socket.end('220 mail.invalid ESMTP\r\n'),
  'opens the tunnel to nobody': socket => socket.end('HTTP/1.1 200 OK\r\n\r\n'),
  'opens the tunnel to something without TLS': socket => socket.end('HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 Bad\r\n\r\n')
}

for (const [what, instead] of Object.entries(refusals)) {
  t.test(`a proxy that ${what}: nothing was sent, and the caller is told so`, async t => {
    const { client, asked } = await through(t, { instead: instead as NonNullable<typeof instead> })
    t.match(await failureOf(client.call(post())), unsent)
    t.match(await failureOf(client.call(get())), { type: 'upstream_unreachable', outcome: undefined })
    t.ok(asked.length >= 2)
  })
}

t.test(
  'a proxy that says nothing, before the tunnel or in it, is given up as a vendor that takes no connection is',
  async t => {
    const silent: ProxyOptions[] = [
      { instead: () => {} },
      { instead: socket => void socket.write('HTTP/1.1 200 OK\r\n\r\n') }
    ]
    for (const options of silent) {
      const { client } = await through(t, options, { connectWithinMs: 100 })
      t.match(await failureOf(client.call(post())), unsent)
    }
  }
)

t.test(
  'a proxy that is not there, and a vendor in the tunnel that cannot prove who it is, are sent nothing',
  async t => {
    const gone = new URL(await nobody(t)).origin
    const { client } = await through(t, {}, { proxy: { origin: gone, authorization: null } })
    t.match(await failureOf(client.call(post())), unsent)

    const stranger = makeCertificate({ name: 'vendor', issuer: authority, host: 'elsewhere.invalid' })
    const { port, requests } = await secureVendor(t, (_request, response) => response.end('{}'), stranger)
    const impostor = await through(t, { port })
    t.match(await failureOf(impostor.client.call(post())), unsent)
    t.strictSame(requests, [])
  }
)

t.test('a call that is cut off in a tunnel has an unknown outcome, and the tunnel is closed', async t => {
  const cut = new AbortController()
  const { port } = await secureVendor(t, () => cut.abort())
  const { client, open } = await through(t, { port })
  t.match(await failureOf(client.call(post(cut.signal))), { type: 'upstream_too_late', outcome: 'unknown' })
  await until(() => open() === 0)

  const { port: rude } = await secureVendor(t, request => request.socket.destroy())
  const other = await through(t, { port: rude })
  t.match(await failureOf(other.client.call(post())), { type: 'upstream_unreachable', outcome: 'unknown' })
})

t.test(
  'a call that waits for a tunnel when the account is replaced was not sent, and nothing keeps it open',
  async t => {
    const { origin } = await proxy(t, { instead: () => {} })
    const baseUrl = new URL(`https://${host}/v2`)
    const client = new UpstreamClient({ baseUrl, proxy: { origin, authorization: null }, connectWithinMs: 200 })
    const waiting = failureOf(client.call(post()))
    const closed = client.close()
    t.match(await failureOf(client.call(post())), { outcome: 'not_sent' })
    t.match(await waiting, unsent)
    await closed
  }
)
