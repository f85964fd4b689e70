import { createServer } from 'node:net'
import t from 'tap'
import { type PostOptions, poster } from '../../../src/lifecycle/webhooks-out/post.ts'
import { listen } from '../../support/listen.ts'
import { until } from '../../support/until.ts'
import { makeCertificate } from '../../support/upstream/certificates.ts'
import { drops, hangs, neverEnds, receiver, says } from '../../support/webhooks/receiver.ts'
import { loopback } from '../../support/webhooks/world.ts'

const forever = new AbortController().signal
const message = (url: string) => ({ url, headers: { 'x-test': 'yes' }, body: '{"a":"ü"}' })
const sent = (url: string, options: Partial<PostOptions> = {}) =>
  poster({ networks: loopback, resolve: async () => [], ...options })(message(url), forever)

t.test('a 2xx is a delivery: the message has arrived as it is', async t => {
  const { url, received } = await receiver(t, says(204))
  const { status, error, durationMs } = await sent(url)
  t.strictSame([status, error], [204, null])
  t.ok(Number.isInteger(durationMs) && durationMs >= 0)
  t.match(received, [{ path: '/hook', body: '{"a":"ü"}', headers: { 'x-test': 'yes', connection: 'close' } }])
})

t.test('any other answer is none', async t => {
  const one = await receiver(t)
  for (const status of [400, 401, 404, 410, 429, 500, 503]) {
    one.behaviour = says(status)
    t.match(await sent(one.url), { status, error: 'status' })
  }
})

t.test('a redirect is not followed', async t => {
  const target = await receiver(t)
  for (const status of [301, 302, 303, 307, 308]) {
    const { url } = await receiver(t, says(status, { location: target.url }))
    t.match(await sent(url), { status, error: 'redirect' })
  }
  t.equal(target.received.length, 0)
})

t.test('a receiver that hangs, or talks without an end, holds nothing up', async t => {
  const hanging = await receiver(t, hangs)
  t.match(await sent(hanging.url, { withinMs: 100 }), { status: null, error: 'timeout' })
  const talking = await receiver(t, neverEnds)
  t.match(await sent(talking.url), { status: 200, error: null }, 'its status is enough')
  // Header fields, byte by byte.
  const dripping = createServer(socket => {
    socket.write('HTTP/1.1 200 OK\r\nx-long: ')
    const drip = setInterval(() => socket.write('x'), 5)
    socket.on('error', () => {})
    socket.on('close', () => clearInterval(drip))
  })
  const port = await listen(t, dripping)
  t.match(await sent(`http://127.0.0.1:${port}/`, { withinMs: 100 }), { status: null, error: 'timeout' })
})

t.test('a receiver that is not there, drops the connection or speaks no HTTP is unreachable', async t => {
  const { url } = await receiver(t, drops)
  t.match(await sent(url), { status: null, error: 'unreachable' })
  for (const bytes of [
    'garbage\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    ''
  ]) {
    const odd = createServer(socket => void socket.once('data', () => socket.end(bytes)).on('error', () => {}))
    const port = await listen(t, odd)
    t.match(await sent(`http://127.0.0.1:${port}/`), { status: null, error: 'unreachable' }, bytes)
    odd.close()
    await until(() => !odd.listening)
    t.match(await sent(`http://127.0.0.1:${port}/`), { status: null, error: 'unreachable' })
  }
})

t.test('a name is called at the address that was checked, and no second look-up leads elsewhere', async t => {
  const { port, received } = await receiver(t)
  let asked = 0
  const resolve = async (name: string): Promise<string[]> => {
    asked += 1
    return name === 'hooks.example' && asked === 1 ? ['10.0.0.1', '127.0.0.1'] : ['10.0.0.1']
  }
  const url = `http://hooks.example:${port}/hook`
  t.match(await sent(url, { resolve }), { status: 204, error: null }, 'the private one is left out')
  t.match(received, [{ headers: { host: `hooks.example:${port}` } }])
  t.match(await sent(url, { resolve }), { status: null, error: 'no_address' }, 'it leads elsewhere now')
  t.equal(asked, 2)
})

t.test('no name and no form of an address leads to a private one', async t => {
  const { port, received } = await receiver(t)
  const answers = [[], ['127.0.0.1'], ['::ffff:127.0.0.1'], ['64:ff9b::7f00:1'], ['::1'], ['0.0.0.0'], ['nonsense']]
  for (const addresses of answers) {
    const options = { networks: [], resolve: async () => addresses }
    for (const scheme of ['https', 'http'])
      t.match(await sent(`${scheme}://hooks.example:${port}/`, options), { status: null, error: 'no_address' })
  }
  for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:7f00:1]', '0', '169.254.169.254'])
    t.match(await sent(`https://${host}:${port}/`, { networks: [] }), { status: null, error: 'no_address' }, host)
  const fails = { resolve: () => Promise.reject(new Error('SERVFAIL')) }
  t.match(await sent('https://hooks.example/', fails), { error: 'no_address' }, 'a name that cannot be looked up')
  t.equal(received.length, 0)
})

t.test('name servers that never answer hold nothing up', async t => {
  const options = { withinMs: 50, resolve: () => new Promise<string[]>(() => {}) }
  t.match(await sent('https://hooks.example/', options), { status: null, error: 'timeout' })
})

t.test('names are looked up at the name servers', async t => {
  // RFC 6761: this one has no address anywhere, and is not asked for outside of this machine.
  t.match(await poster({ networks: [] })(message('https://localhost/'), forever), { status: null, error: 'no_address' })
})

t.test('TLS is checked: the name, and who says so', async t => {
  const authority = makeCertificate({ name: 'authority' })
  const signed = makeCertificate({ name: 'receiver', issuer: authority, host: 'hooks.example' })
  const { port, received } = await receiver(t, says(204), signed)
  const resolve = async () => ['127.0.0.1']
  const trusting = { resolve, ca: authority.cert }
  t.match(await sent(`https://hooks.example:${port}/`, trusting), { status: 204, error: null })
  t.match(await sent(`https://other.example:${port}/`, trusting), { status: null, error: 'unreachable' })
  t.match(await sent(`https://hooks.example:${port}/`, { resolve }), { status: null, error: 'unreachable' })
  t.equal(received.length, 1)
})

t.test('an attempt that is called off rejects, wherever it is', async t => {
  const { url, received } = await receiver(t, hangs)
  const post = poster({ networks: loopback, resolve: () => new Promise(() => {}) })
  t.rejects(post(message(url), AbortSignal.abort(new Error('the end'))), { message: 'the end' })
  for (const [where, begun] of [
    [url, () => received.length === 1],
    ['https://hooks.example/', () => true]
  ] as const) {
    const ending = new AbortController()
    const attempt = post(message(where), ending.signal)
    await until(begun)
    ending.abort(new Error('the end'))
    await t.rejects(attempt, { message: 'the end' })
  }
})
