import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { parseAddress, parseNetwork } from '../../../src/domain/values/address.ts'
import { addressReader } from '../../../src/http/request/client-address.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { rawSocket, tally } from '../../support/http/helper.ts'
import fc, { runs } from '../../support/runner/properties.ts'

function trust(...texts: string[]) {
  return texts.map(text => {
    const network = parseNetwork(text)
    if (network === null) throw new Error(text)
    return network
  })
}

const clock = manualClock()
const config = {
  addressLimit: { calls: 3, seconds: 60, burst: 3 },
  trustedProxies: trust('127.0.0.1', '10.0.0.0/8')
}
const { as, url, asAcme, events, directory, logs } = await gateway(t, { clock, config })
const nobody = as(null)
const from = (forwarded: string): Promise<Reply> =>
  nobody('GET', '/v2/meetings', undefined, { 'x-forwarded-for': forwarded })

/** Address that is believed of a call from this peer with this X-Forwarded-For. */
function reader(...trusted: string[]) {
  const addressOf = addressReader(trust(...trusted))
  return (peer: string | undefined, forwarded?: string): string => {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    return addressOf({ raw: { socket: { remoteAddress: peer } }, headers } as unknown as FastifyRequest).text
  }
}

t.test('X-Forwarded-For is believed from a listed peer alone, and as far as its writers are listed', async t => {
  const address = reader('10.0.0.0/8', 'fd00::/8')
  const cases: [peer: string | undefined, forwarded: string | undefined, believed: string][] = [
    ['10.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['::ffff:10.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['fd00::1', '2001:DB8:0::7', '2001:db8::7'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['11.0.0.1', '203.0.113.7', '11.0.0.1'],
    ['::ffff:11.0.0.1', '203.0.113.7', '11.0.0.1'],
    ['fe80::1%eth0', '203.0.113.7', 'fe80::1'],
    [undefined, '203.0.113.7', '::'],
    ['10.0.0.1', '198.51.100.1, 203.0.113.7', '203.0.113.7'],
    ['10.0.0.1', '127.0.0.1, 10.9.9.9, 203.0.113.7', '203.0.113.7'],
    ['10.0.0.1', '203.0.113.7, 10.0.0.2', '203.0.113.7'],
    ['10.0.0.1', '198.51.100.1,203.0.113.7 ,\t10.0.0.3,fd00::2', '203.0.113.7'],
    ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['10.0.0.1', '::ffff:203.0.113.7', '203.0.113.7'],
    // Text that is no address makes nobody an address.
    ['10.0.0.1', 'unknown', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.7, <script>', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.7,', '10.0.0.1'],
    ['10.0.0.1', ',', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.7, garbage, 10.0.0.2', '10.0.0.2'],
    ['10.0.0.1', 'fe80::1%<script>', '10.0.0.1'],
    // A port behind it is the client's, and changes with each connection.
    ['10.0.0.1', '203.0.113.7:4711', '203.0.113.7'],
    ['10.0.0.1', '[2001:db8::7]:4711', '2001:db8::7'],
    ['10.0.0.1', '[2001:db8::7]', '2001:db8::7'],
    ['10.0.0.1', '203.0.113.7:4711, 10.0.0.2:80, [::ffff:10.0.0.3]:1', '203.0.113.7'],
    ['10.0.0.1', '2001:db8::7:4711', '2001:db8::7:4711'],
    ['10.0.0.1', '203.0.113.7:', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.7:471100', '10.0.0.1'],
    ['10.0.0.1', '[203.0.113.7:4711', '10.0.0.1'],
    ['10.0.0.1', '[2001:db8::7]4711', '10.0.0.1'],
    ['10.0.0.1', 'proxy.example:80', '10.0.0.1']
  ]
  for (const [peer, forwarded, believed] of cases) t.equal(address(peer, forwarded), believed, `${peer} < ${forwarded}`)
})

t.test('without a list nobody is believed', async t => {
  const address = reader()
  for (const peer of ['127.0.0.1', '10.0.0.1', '::1']) t.equal(address(peer, '203.0.113.7'), peer)
})

t.test('a list is looked through for so many proxies and no more', async t => {
  const address = reader('10.0.0.0/8')
  const proxies = (count: number) => Array.from({ length: count }, (_, i) => `10.0.1.${i}`)
  t.equal(address('10.0.0.1', ['203.0.113.7', ...proxies(31)].join(',')), '203.0.113.7')
  t.equal(address('10.0.0.1', ['203.0.113.7', ...proxies(32)].join(',')), '10.0.1.0')
  t.equal(
    address('10.0.0.1', `${'10.0.0.9,'.repeat(1_000_000)}10.0.0.9`),
    '10.0.0.9',
    'and however long it is, at once'
  )
})

t.test('an address comes out, whatever is sent', async t => {
  const address = reader('10.0.0.0/8')
  const part = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.constantFrom('10.0.0.2', ',', ' ', 'unknown'))
  const property = fc.property(fc.array(part, { maxLength: 6 }), parts => {
    const believed = address('10.0.0.1', parts.join(','))
    return parseAddress(believed)?.text === believed
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: runs(1_000) }))
})

async function rested(): Promise<void> {
  clock.advance(60_000)
  await directory.pull()
}

async function times(count: number, call: (i: number) => Promise<Reply>): Promise<Record<string, number>> {
  const replies: Reply[] = []
  for (let i = 0; i < count; i++) replies.push(await call(i))
  return tally(replies)
}

t.test('behind a trusted proxy each client has an address limit of its own', async t => {
  await rested()
  t.strictSame(await times(5, () => from('203.0.113.7')), { 401: 3, 429: 2 })
  t.strictSame(await times(5, () => from('203.0.113.8')), { 401: 3, 429: 2 })
  t.strictSame(
    await times(5, i => from(`203.0.113.${i}, 203.0.113.9`)),
    { 401: 3, 429: 2 },
    'which it cannot talk itself out of'
  )
  t.strictSame(await times(5, i => from(`2001:db8::${i + 1}`)), { 401: 3, 429: 2 }, 'a /64 is one client')
  t.equal((await from('203.0.113.7')).statusCode, 429, 'and is still throttled after all of that')
  t.equal((await nobody('GET', '/v2/meetings')).statusCode, 401, 'the proxy itself is another')
})

t.test('an entry that is no address counts against the proxy', async t => {
  await rested()
  t.strictSame(await times(5, i => from(`garbage ${i}`)), { 401: 3, 429: 2 })
  const told = logs().match(
    /"proxy":"127\.0\.0\.1","msg":"a trusted proxy sends an X-Forwarded-For that is no address[^"]*"/g
  )
  t.equal(told?.length, 1, 'which the operator is told once')
  t.notMatch(logs(), /garbage/)
})

t.test('a field that comes twice is one list', async t => {
  await rested()
  const socket = await rawSocket(url)
  const fields = (i: number) => `x-forwarded-for: 198.51.100.${i}\r\nx-forwarded-for: 203.0.113.7\r\n`
  const answers = await times(5, i => {
    socket.write(`GET /v2/meetings HTTP/1.1\r\nhost: x\r\n${fields(i)}\r\n`)
    return socket.answer()
  })
  socket.destroy()
  t.strictSame(answers, { 401: 3, 429: 2 })
})

t.test('no other field tells where a call came from, whoever sends it', async t => {
  await rested()
  const names = ['forwarded', 'x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'x-client-ip', 'x-forwarded']
  const claim = (i: number) => ({ [names[i % names.length] ?? '']: i % 6 ? `203.0.113.${i}` : `for=203.0.113.${i}` })
  t.strictSame(await times(12, i => nobody('GET', '/v2/meetings', undefined, claim(i))), { 401: 3, 429: 9 })
})

t.test('the audit log has the address that is believed, and never another text', async t => {
  await rested()
  const before = (await events()).length
  const ask = (forwarded: string) => asAcme('GET', '/v2/livestreams', undefined, { 'x-forwarded-for': forwarded })
  for (const forwarded of ['198.51.100.1, 203.0.113.7', '"><script>', `${'a,'.repeat(4_000)}2001:DB8::0:1`])
    await ask(forwarded)
  const seen = (await events()).slice(before).map(({ src_endpoint }) => src_endpoint.ip)
  t.strictSame(seen, ['203.0.113.7', '127.0.0.1', '2001:db8::1'])
})

t.test('host and protocol of a proxy change no answer', async t => {
  await rested()
  const plain = await nobody('GET', '/openapi.json')
  const claimed = await nobody('GET', '/openapi.json', undefined, {
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '444'
  })
  const { date: _, 'x-request-id': __, ratelimit: ___, ...headers } = plain.headers
  t.match(claimed.headers, headers)
  t.equal(claimed.body, plain.body)
})
