import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { manualClock } from '../support/clock.ts'
import { gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'
import { type RawSocket, rawSocket } from './helper.ts'

const livez = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'
const proxies = [{ version: 4, bits: 0x7f000000n, prefix: 8 }] as const
/** The longest that an address may be told: unused connections are looked for once a second. */
const looks = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 1_100))

/** A connection from this address of the machine itself; it does nothing by itself, and ends when the other side does. */
async function from(t: Test, url: string, address: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), localAddress: address })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.resume()
  await once(socket, 'connect')
  return socket
}

async function asked(url: string, bytes: string): Promise<{ socket: RawSocket; keepAlive: string | undefined }> {
  const socket = await rawSocket(url)
  socket.write(bytes)
  const { headers } = await socket.answer()
  return { socket, keepAlive: headers['keep-alive'] as string | undefined }
}

t.test('a connection is kept for 620 s once it has carried a valid key; all others idle for 10 s', async t => {
  const clock = manualClock()
  const { app, url, withKey } = await gateway(t, { clock })
  const { key } = await withKey('acme', ['livestreams:read'])
  const list = (key: string) => `GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`
  t.equal(app.server.keepAliveTimeout, 620_000)

  const known = await asked(url, list(key))
  const stranger = await asked(url, livez)
  const wrong = await asked(url, list('nobody'))
  const broken = await asked(url, 'GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n')
  const silent = await rawSocket(url)
  t.strictSame(
    [known, stranger, wrong, broken].map(({ keepAlive }) => keepAlive),
    ['timeout=620', 'timeout=10', 'timeout=10', 'timeout=10']
  )
  const arriving = await asked(url, livez)
  arriving.socket.write('GET /liv')

  clock.advance(10_000)
  await looks()
  t.notOk(stranger.socket.ended() || wrong.socket.ended() || silent.ended(), 'who was told 10 s has them')
  clock.advance(1_000)
  await until(() => stranger.socket.ended() && wrong.socket.ended() && silent.ended())
  arriving.socket.write('ez HTTP/1.1\r\nhost: x\r\n\r\n')
  t.equal((await arriving.socket.answer()).statusCode, 200, 'a call that has begun to come is let in')
  clock.advance(600_000)
  await looks()
  t.ok(arriving.socket.ended())
  known.socket.write(livez)
  t.equal((await known.socket.answer()).headers['keep-alive'], 'timeout=620', 'it is known from then on')
})

t.test('how long is a setting, also for strangers when it is shorter; Node closes by it', async t => {
  const { url, withKey } = await gateway(t, { config: { keepAliveMs: 1_000 } })
  const { key } = await withKey('acme', ['livestreams:read'])
  const known = await asked(url, `GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
  const stranger = await asked(url, livez)
  t.strictSame([known.keepAlive, stranger.keepAlive], ['timeout=1', 'timeout=1'])
  await until(() => known.socket.ended() && stranger.socket.ended())
})

t.test('a trusted proxy is known before it has shown a key', async t => {
  const clock = manualClock()
  const { url } = await gateway(t, { clock, config: { trustedProxies: proxies } })
  const proxy = await asked(url, livez)
  t.equal(proxy.keepAlive, 'timeout=620')
  clock.advance(600_000)
  await looks()
  t.notOk(proxy.socket.ended())
})

t.test('one address has a quarter of all connections: beyond it, its own longest idle makes room', async t => {
  const { url, logs } = await gateway(t, { config: { maxConnections: 20 } })
  const mine = [await from(t, url, '127.0.0.2')]
  for (let i = 1; i < 5; i++) mine.push(await from(t, url, '127.0.0.2'))
  const others = await from(t, url, '127.0.0.3')
  mine[0]?.write(livez)
  await once(mine[0] as Socket, 'data')
  const sixth = await from(t, url, '127.0.0.2')
  await until(() => mine[1]?.closed === true)
  t.strictSame(
    mine.map(socket => socket.closed),
    [false, true, false, false, false]
  )
  t.notOk(sixth.closed || others.closed)
  await from(t, url, '127.0.0.2')
  t.equal(logs().split('make room').length, 2, 'the operator hears of it, and once a minute')
})

t.test('when all of its connections are in use the next is closed', async t => {
  const { url, withKey, asAcme, meeting, simulator } = await gateway(t, { config: { maxConnections: 20 } })
  const { key } = await withKey('acme', ['meetings:read'])
  simulator.fail({ match: { path: '/meetings/*' }, delayMs: 3_000 })
  const busy: Socket[] = []
  for (let i = 0; i < 5; i++) {
    const socket = await from(t, url, '127.0.0.2')
    socket.write(`GET /v2/meetings/${meeting} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
    busy.push(socket)
  }
  await until(async () => (await asAcme('GET', '/gateway/usage')).json().data.in_flight.now === 6)
  const next = await from(t, url, '127.0.0.2')
  await until(() => next.closed)
  t.ok(busy.every(socket => !socket.closed))
  const other = await from(t, url, '127.0.0.3')
  other.write(livez)
  await once(other, 'data')
})

t.test('from four fifths on the longest idle is closed first, strangers before those who are known', async t => {
  const { url, withKey } = await gateway(t, { config: { maxConnections: 20 } })
  const { key } = await withKey('acme', ['livestreams:read'])
  const known = await from(t, url, '127.0.0.9')
  known.write(`GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
  await once(known, 'data')
  const all: Socket[] = []
  for (let i = 0; i < 15; i++) all.push(await from(t, url, `127.0.0.${10 + (i % 4)}`))
  t.ok(all.every(socket => !socket.closed))
  await from(t, url, '127.0.0.20')
  await from(t, url, '127.0.0.20')
  await until(() => all[0]?.closed === true && all[1]?.closed === true)
  t.strictSame(all.filter(socket => socket.closed).length, 2)
  t.notOk(known.closed)
})

t.test('a trusted proxy has all connections, to the last; then known ones make room, once they are idle', async t => {
  const config = { maxConnections: 10, trustedProxies: proxies }
  const { url, withKey, meeting, simulator, app } = await gateway(t, { config })
  const all: Socket[] = []
  for (let i = 0; i < 12; i++) all.push(await from(t, url, '127.0.0.2'))
  await until(() => all.slice(0, 4).every(socket => socket.closed))
  t.strictSame(all.filter(socket => !socket.closed).length, 8)

  const { key } = await withKey('acme', ['meetings:read'])
  const recover = simulator.fail({ match: { path: '/meetings/*' }, delayMs: 600 })
  const busy: Socket[] = []
  let arrived = 0
  app.server.on('request', () => {
    arrived += 1
  })
  for (let i = 0; i < 10; i++) {
    const socket = await from(t, url, '127.0.0.2')
    socket.write(`GET /v2/meetings/${meeting} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
    busy.push(socket)
    await until(() => arrived === i + 1)
  }
  const refused = await from(t, url, '127.0.0.2')
  await until(() => refused.closed)
  await Promise.all(busy.map(socket => once(socket, 'data')))
  recover()
  const next = await from(t, url, '127.0.0.2')
  next.write(livez)
  await once(next, 'data')
  await until(() => busy[0]?.closed === true)
  t.strictSame(busy.filter(socket => socket.closed).length, 1)
})

t.test(
  'at the end idle connections are closed at once, and what is answered then says that it is the last',
  async t => {
    const { url, withKey, meeting, simulator, close } = await gateway(t, { config: { shutdownMs: 60_000 } })
    const { key } = await withKey('acme', ['livestreams:read', 'meetings:read'])
    const call = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`
    const idle = await asked(url, call('/v2/livestreams'))
    const silent = await rawSocket(url)
    simulator.failNext({ match: { path: '/meetings/*' }, delayMs: 300 })
    const busy = await rawSocket(url)
    busy.write(call(`/v2/meetings/${meeting}`))
    await until(() => simulator.journal.length > 0)
    const closed = close()
    await until(() => idle.socket.ended() && silent.ended())
    const late = await rawSocket(url)
    late.write('GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n')
    t.equal((await late.answer()).headers.connection, 'close', 'also what no hook sees')
    const options = await rawSocket(url)
    options.write('OPTIONS / HTTP/1.0\r\n\r\n')
    t.equal((await options.answer()).statusCode, 503, 'a plain check hears that it ends')
    const { statusCode, headers } = await busy.answer()
    t.strictSame([statusCode, headers.connection, headers['keep-alive']], [200, 'close', undefined])
    await closed
  }
)
