import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import type { Provider } from '../../../src/upstream/provider.ts'
import { type Certificate, makeCertificate } from '../../support/upstream/certificates.ts'
import { failureOf, providerAt, rawVendor } from '../../support/upstream/vendor.ts'

const address = '127.0.0.1'
const authority = makeCertificate({ name: 'the authority that Livegate trusts' })
const stranger = makeCertificate({ name: 'an authority that nobody knows' })
const good = makeCertificate({ name: 'vendor', issuer: authority, address, host: 'localhost' })

interface SecureVendor {
  provider: Provider
  port: number
  /** Count of the requests that reached the server. */
  requests(): number
  /** Count of the connections, whether or not a request followed. */
  connections(): number
}

/** A vendor behind TLS and the provider that calls it, trusting our own authority only. */
async function secureVendor(t: Test, certificate: Certificate, options: ServerOptions = {}): Promise<SecureVendor> {
  let requests = 0
  let connections = 0
  const server = createServer({ ...certificate, ...options }, (_request, response) => {
    requests++
    response.end(JSON.stringify({ success: true, data: { id: randomUUID(), status: 'INVOKED' } }))
  })
  server.on('connection', () => connections++)
  server.listen(0, address)
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { provider: providerOn(t, port), port, requests: () => requests, connections: () => connections }
}

function providerOn(t: Test, port: number): Provider {
  const url = `https://${address}:${port}/v2`
  return providerAt(t, { url, org: randomUUID(), key: randomBytes(10).toString('hex'), ca: authority.cert })
}

const soon = (): AbortSignal => AbortSignal.timeout(60_000)

async function refuses(t: Test, { provider, requests, connections }: SecureVendor): Promise<void> {
  const meeting = randomUUID()
  const unsent = { status: 502, type: 'upstream_unreachable', outcome: 'not_sent' }
  t.match(await failureOf(provider.start(meeting, {}, soon())), unsent, 'start')
  t.match(await failureOf(provider.stop(meeting, soon())), unsent, 'stop')
  t.match(await failureOf(provider.createMeeting({}, soon())), unsent, 'create')
  t.match(await failureOf(provider.updateMeeting(meeting, { title: 'x' }, soon())), unsent, 'update')
  const read = { status: 502, type: 'upstream_unreachable', outcome: undefined }
  t.match(await failureOf(provider.findActive(meeting, soon())), read, 'read')
  t.equal(requests(), 0, 'no request arrived, and so no credential')
  t.ok(connections() >= 5, 'though each call did connect')
}

const impostors = {
  'that nobody vouches for': makeCertificate({ name: 'vendor', issuer: stranger, address }),
  'that vouches for itself': makeCertificate({ name: 'vendor', address }),
  'whose certificate is for another address': makeCertificate({
    name: 'vendor',
    issuer: authority,
    address: '127.9.9.9'
  }),
  'whose certificate is for another host': makeCertificate({
    name: address,
    issuer: authority,
    host: 'vendor.example'
  }),
  'whose certificate has expired': makeCertificate({
    name: 'v',
    issuer: authority,
    address,
    days: { from: -9, to: -1 }
  }),
  'whose certificate is not valid yet': makeCertificate({
    name: 'v',
    issuer: authority,
    address,
    days: { from: 1, to: 9 }
  })
}

t.test('a vendor that proves who it is is called', async t => {
  const { provider, requests } = await secureVendor(t, good)
  t.match(await provider.start(randomUUID(), {}, soon()), { status: 'INVOKED' })
  t.equal(requests(), 1)
})

for (const [who, certificate] of Object.entries(impostors)) {
  t.test(`a vendor ${who} is refused before anything is sent`, async t => {
    await refuses(t, await secureVendor(t, certificate))
  })
}

t.test('a vendor that speaks no newer TLS than 1.1 is refused before anything is sent', async t => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const vendor = await secureVendor(t, good, old)
  await refuses(t, vendor)
  const careless = connect({ host: address, port: vendor.port, ca: authority.cert, ...old })
  t.teardown(() => careless.destroy())
  await once(careless, 'secureConnect')
  t.equal(careless.getProtocol(), 'TLSv1.1', 'a client that accepts it would have got through')
})

t.test("no variable of the process's environment takes the check back", async t => {
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
  })
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  await refuses(t, await secureVendor(t, impostors['that vouches for itself']))
})

t.test('a vendor that speaks no TLS is sent nothing that can be read', async t => {
  let received = ''
  const { port } = await rawVendor(t, (socket, bytes) => {
    received += bytes
    socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n')
  })
  const provider = providerOn(t, port)
  const unsent = { type: 'upstream_unreachable', outcome: 'not_sent' }
  t.match(await failureOf(provider.start(randomUUID(), {}, soon())), unsent)
  t.notMatch(received, /authorization|meetings/i)
})
